// The product with a b that was packed before, for inference: the weights of a model that changes no more. Few rows
// meet many columns there, and to pack b anew would cost as much as a tenth of the product. Tiles, blocks of k and
// their order are those of other products, and so are the bits.
//
// A task takes some panels of a, packs them whole, and meets a range of slivers, as many at a time as the cache takes;
// what becomes of y is done while it is there.

// fn or its slope on rows i .. end - 1, columns j .. stop - 1 of y.
template <class F>
static void finish_part(const MatmulCall& c, int64_t i, int64_t end, int64_t j, int64_t stop) {
  for (; i < end; ++i) {
    float *y = c.y + i * c.n, *x = c.x == nullptr ? nullptr : c.x + i * c.n;
    each_vec(j, stop, y, [=](int64_t at, int64_t count) {
      const Vec t = load_count(y + at, count);
      if (c.epilogue == kSlope) return t * F::d(load_count(x + at, count), Vec{}, 0.f);
      if (x != nullptr) store_count(x + at, t, count);
      return F::f(t, 0.f);
    });
  }
}

template <class F>
static void multiply_frozen(const Run* run, const MatmulCall& c) {
  const int64_t product = __atomic_add_fetch(&products, 1, __ATOMIC_RELAXED);
  const int64_t k = depth_of(c.k), blocks = (k + kDepth - 1) / kDepth;
  const int64_t depth = round_up((k + blocks - 1) / blocks, 16);
  const Operand a = operand(c.a, c.m, c.k, !c.transpose_a, MR, 0), b = operand(c.b, c.n, c.k, c.transpose_b, NR, NR);
  const Product g = {a, b, c.y, c.bias, c.n, k, blocks, depth, run->threads, c.epilogue == kAddTo};
  const int64_t strip = depth * a.width + VL, share = (a.strips + run->threads - 1) / run->threads;
  const int64_t group = least(share, most(1, 2 * kPiece / (k * a.width))), groups = (a.strips + group - 1) / group;
  const int64_t wanted = run->threads > 1 ? 6 * run->threads : 1;
  const int64_t parts = least(b.strips, (wanted + groups - 1) / groups), width = (b.strips + parts - 1) / parts;
  const int64_t chunk = most(1, kPiece / (depth * NR));
  auto task = [&](int64_t begin, int64_t) {
    const int64_t first = begin / parts * group, last = least(a.strips, first + group);
    const int64_t from = begin % parts * width, to = least(b.strips, from + width);
    Packed* packed = (Packed*)run->scratch(0, 64 + blocks * group * strip * 4);
    if (packed->owner != &products || packed->product != product || packed->first != first) {
      *packed = {&products, product, first, 0, {}, {}};
      for (int64_t block = 0; block < blocks; ++block)
        pack(a, first, last, block * depth, least(depth, k - block * depth), packed->strips + block * group * strip,
             strip);
    }
    for (int64_t s = from; s < to; s += chunk) {
      const int64_t stop = least(to, s + chunk);
      for (int64_t block = 0; block < blocks; ++block) {
        const Strips panels = {packed->strips + block * group * strip, strip, first, last};
        multiply_strips(g, block, panels, {c.packed + s * k * NR + block * depth * NR, k * NR, s, stop});
      }
      if (c.epilogue == kActivate || c.epilogue == kSlope)
        finish_part<F>(c, first * a.width, least(c.m, last * a.width), s * NR, least(c.n, stop * NR));
    }
  };
  parallel(run, groups * parts, 1, task);
}

static void matmul_frozen(const Run* run, const MatmulCall* call) {
  MatmulCall c = *call;
  const bool tall = c.batch == 1 || (!c.transpose_a && c.stride_a == c.m * c.k);
  if (c.packed == nullptr || c.k == 0 || c.m == 0 || c.n == 0 || !tall) return matmul(run, call);
  c.m *= c.batch;
  if (c.fn == kRelu) multiply_frozen<Relu>(run, c);
  else if (c.fn == kGelu) multiply_frozen<Gelu>(run, c);
  else multiply_frozen<GeluTanh>(run, c);
  if (c.sums != nullptr) sum_rows(run, c);
}

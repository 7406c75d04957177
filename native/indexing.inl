// Moving elements: strided copies, table look-up and its gradient.

// y[j, i] = x[i, j] for i < rows, j < cols.
static void transpose(const float* x, int64_t stride_x, float* y, int64_t stride_y, int64_t rows, int64_t cols) {
  for (int64_t i = 0; i < rows; i += VL) {
    for (int64_t j = 0; j < cols; j += VL) {
      const float* from = x + i * stride_x + j;
      float* to = y + j * stride_y + i;
      if (i + VL <= rows && j + VL <= cols) {
        turn_square(from, stride_x, to, stride_y);
      } else {
        for (int64_t r = 0; r < least(VL, rows - i); ++r)
          for (int64_t c = 0; c < least(VL, cols - j); ++c) to[c * stride_y + r] = from[r * stride_x + c];
      }
    }
  }
}

static void copy_run(const float* x, float* y, int64_t step_x, int64_t step_y, int64_t n) {
  if (step_y == 1 && step_x <= 1) {
    const Vec first = n > 0 ? splat(*x) : Vec{};
    if (step_x == 1) each_vec(0, n, y, [=](int64_t i, int64_t count) { return load_count(x + i, count); });
    else each_vec(0, n, y, [=](int64_t, int64_t) { return first; });
  } else {
    for (int64_t i = 0; i < n; ++i) y[i * step_y] = x[i * step_x];
  }
}

static void copy(const Run* run, const uint32_t* x, uint32_t* y, int rank, const int64_t* shape, const Walk* from,
                 const Walk* to) {
  Axes axes = merge_axes(rank, shape, from->strides, to->strides);
  const float* px = (const float*)x + from->offset;
  float* py = (float*)y + to->offset;
  int64_t n = 1;
  for (int i = 0; i < axes.rank; ++i) n *= axes.shape[i];
  const int last = axes.rank - 1;
  int across = last;  // the axis along which x is contiguous
  for (int i = 0; i < last; ++i)
    if (axes.a[i] == 1 && axes.shape[i] >= VL) across = i;
  if (n > 0 && axes.a[last] > 1 && axes.b[last] == 1 && across != last) {
    // Tiles: the two axes leave the walk, which visits the first element of each plane.
    const int64_t rows = axes.shape[last], cols = axes.shape[across], stride_x = axes.a[last],
                  stride_y = axes.b[across];
    const int64_t band = 4 * VL, bands = (cols + band - 1) / band;
    for (int i = across; i < last - 1; ++i)
      axes.shape[i] = axes.shape[i + 1], axes.a[i] = axes.a[i + 1], axes.b[i] = axes.b[i + 1];
    axes.shape[last - 1] = bands, axes.a[last - 1] = band, axes.b[last - 1] = band * stride_y;
    axes.rank = last;
    auto plane = [=](int64_t a, int64_t b, int64_t i, int64_t count) {
      for (int64_t k = 0; k < count; ++k) {
        const int64_t first = ((i + k) % bands) * band;
        transpose(px + a + k * band, stride_x, py + b + k * band * stride_y, stride_y, rows, least(band, cols - first));
      }
    };
    auto body = [&](int64_t begin, int64_t end) { walk(axes, begin, end, plane); };
    return parallel(run, n / (rows * cols) * bands, most(1, kGrain / (rows * band)), body);
  }
  const int64_t step_x = axes.a[last], step_y = axes.b[last];
  auto body = [&](int64_t begin, int64_t end) {
    walk(axes, begin, end,
         [=](int64_t a, int64_t b, int64_t, int64_t count) { copy_run(px + a, py + b, step_x, step_y, count); });
  };
  parallel(run, n, kGrain, body);
}

static void gather(const Run* run, const float* table, const int32_t* ids, float* y, int64_t rows, int64_t width) {
  parallel_rows(run, rows, width,
                [=](int64_t row) { copy_run(table + ids[row] * width, y + row * width, 1, 1, width); });
}

// Each thread owns a band of columns and adds all rows in rising order: no two threads meet, and no order is left open.
static void scatter_add(const Run* run, const int32_t* ids, const float* d_y, float* d_table, int64_t rows,
                        int64_t width, int64_t) {
  const int64_t ahead = 8;  // rows whose place in the table is fetched before its turn
  auto body = [=](int64_t begin, int64_t end) {
    for (int64_t row = 0; row < rows; ++row) {
      if (row + ahead < rows)
        for (int64_t i = begin; i < end; i += 16) __builtin_prefetch(d_table + ids[row + ahead] * width + i, 1);
      float* y = d_table + ids[row] * width;
      const float* x = d_y + row * width;
      each_vec(begin, end, y, [=](int64_t i, int64_t n) { return load_count(y + i, n) + load_count(x + i, n); });
    }
  };
  parallel(run, width, rows * width <= kGrain ? width : 64, body);
}

{
  # The addon and its kernels. Each instruction set is a static library with flags of its own, and nothing else is
  # compiled with them. How to build: scripts/build-native.mjs.
  "variables": {
    # No exceptions, no RTTI, no errno from sqrt. x * y + z becomes one rounding wherever the instruction exists: half
    # the work, and a fixed choice, as two builds with different choices would give different bits.
    # Node's own flags keep a frame pointer, which takes a register from the loops: weights' gradients were 1 % slower.
    "kernel_flags": ["-std=c++17", "-O3", "-fPIC", "-fno-exceptions", "-fno-rtti", "-fvisibility=hidden", "-fno-math-errno",
                     "-ffp-contract=fast", "-fomit-frame-pointer", "-Wall", "-Wextra"],
    "avx2_flags": ["-mavx2", "-mfma", "-mf16c"],
    "avx512_flags": ["-mavx2", "-mfma", "-mf16c", "-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl",
                     "-mprefer-vector-width=512"]
  },
  "target_defaults": {
    "default_configuration": "Release",
    "cflags_cc!": ["-std=gnu++17", "-std=gnu++20", "-std=c++20"],
    "xcode_settings": {
      "CLANG_CXX_LANGUAGE_STANDARD": "c++17",
      "CLANG_CXX_LIBRARY": "libc++",
      "GCC_OPTIMIZATION_LEVEL": "3",
      "GCC_SYMBOLS_PRIVATE_EXTERN": "YES",
      "MACOSX_DEPLOYMENT_TARGET": "11.0"
    }
  },
  "targets": [
    {
      "target_name": "bertgrad",
      "sources": ["native/addon.cc", "native/dispatch.cc", "native/pool.cc"],
      "include_dirs": ["<!@(node -p \"require('node-addon-api').include_dir\")"],
      "defines": ["NAPI_VERSION=8", "NODE_ADDON_API_CPP_EXCEPTIONS_ALL", "NODE_ADDON_API_DISABLE_DEPRECATED"],
      "cflags!": ["-fno-exceptions"],
      "cflags_cc!": ["-fno-exceptions"],
      "cflags_cc": ["-std=c++17", "-O2", "-fexceptions", "-fvisibility=hidden", "-Wall", "-Wextra"],
      "xcode_settings": { "GCC_ENABLE_CPP_EXCEPTIONS": "YES" },
      "dependencies": ["isa_base"],
      "conditions": [
        ["target_arch=='x64'", { "dependencies": ["isa_avx2", "isa_avx512", "isa_avx512_bf16", "isa_avx512_vnni"] }],
        ["target_arch=='arm64'", { "dependencies": ["isa_neon"] }],
        # nodelete: the pool's threads live in this library, and Node unloads it when a worker thread ends.
        ["OS=='linux'", {
          "ldflags": ["-static-libstdc++", "-static-libgcc", "-Wl,--exclude-libs,ALL", "-Wl,-z,nodelete"],
          "libraries": ["-pthread"]
        }]
      ]
    },
    {
      "target_name": "isa_base",
      "type": "static_library",
      "sources": ["native/isa_base.cc"],
      "cflags_cc": ["<@(kernel_flags)"],
      "xcode_settings": { "OTHER_CPLUSPLUSFLAGS": ["<@(kernel_flags)"] }
    }
  ],
  "conditions": [
    ["target_arch=='x64'", {
      "targets": [
        {
          "target_name": "isa_avx2",
          "type": "static_library",
          "sources": ["native/isa_avx2.cc"],
          "cflags_cc": ["<@(kernel_flags)", "<@(avx2_flags)"],
          "xcode_settings": { "OTHER_CPLUSPLUSFLAGS": ["<@(kernel_flags)", "<@(avx2_flags)"] }
        },
        {
          "target_name": "isa_avx512",
          "type": "static_library",
          "sources": ["native/isa_avx512.cc"],
          "cflags_cc": ["<@(kernel_flags)", "<@(avx512_flags)"],
          "xcode_settings": { "OTHER_CPLUSPLUSFLAGS": ["<@(kernel_flags)", "<@(avx512_flags)"] }
        },
        {
          "target_name": "isa_avx512_bf16",
          "type": "static_library",
          "sources": ["native/isa_avx512_bf16.cc"],
          "cflags_cc": ["<@(kernel_flags)", "<@(avx512_flags)", "-mavx512bf16"],
          "xcode_settings": { "OTHER_CPLUSPLUSFLAGS": ["<@(kernel_flags)", "<@(avx512_flags)", "-mavx512bf16"] }
        },
        {
          "target_name": "isa_avx512_vnni",
          "type": "static_library",
          "sources": ["native/isa_avx512_vnni.cc"],
          "cflags_cc": ["<@(kernel_flags)", "<@(avx512_flags)", "-mavx512vnni"],
          "xcode_settings": { "OTHER_CPLUSPLUSFLAGS": ["<@(kernel_flags)", "<@(avx512_flags)", "-mavx512vnni"] }
        }
      ]
    }],
    ["target_arch=='arm64'", {
      "targets": [
        {
          "target_name": "isa_neon",
          "type": "static_library",
          "sources": ["native/isa_neon.cc"],
          "cflags_cc": ["<@(kernel_flags)"],
          "xcode_settings": { "OTHER_CPLUSPLUSFLAGS": ["<@(kernel_flags)"] }
        }
      ]
    }]
  ]
}

{
  "variables": {
    # address,undefined or thread. Not "asan": Node's own config.gypi sets that one and wins.
    "sanitize%": ""
  },
  "targets": [
    {
      "target_name": "nfconntrack",
      "sources": ["<!@(ls -1 native/core/*.cc native/binding/*.cc)"],
      "include_dirs": [
        "<!(node -p \"require('node-addon-api').include_dir\")",
        "native/core",
        "native/binding"
      ],
      "defines": ["NAPI_VERSION=9", "NODE_ADDON_API_DISABLE_CPP_EXCEPTIONS", "_GLIBCXX_ASSERTIONS"],
      "cflags_cc!": ["-fno-exceptions", "-fno-rtti", "-std=gnu++17", "-std=gnu++20"],
      "cflags_cc": [
        "-std=c++20",
        "-O2",
        "-Wall",
        "-Wextra",
        "-Wpedantic",
        "-fvisibility=hidden",
        "-fstack-protector-strong",
        "<!@(pkg-config --cflags libmnl)"
      ],
      "libraries": ["<!@(pkg-config --libs libmnl)"],
      "ldflags": [
        "-Wl,-z,relro,-z,now,-z,noexecstack",
        "-Wl,--exclude-libs,ALL",
        "-Wl,--version-script=<(module_root_dir)/native/binding/exports.map"
      ],
      "conditions": [
        [
          "sanitize!=''",
          {
            # The check of vptr opens a pipe, and takes its own EMFILE for a fault of ours.
            "cflags_cc": [
              "-fsanitize=<(sanitize)",
              "-fno-sanitize=vptr",
              "-fno-omit-frame-pointer",
              "-g",
              "-O1"
            ],
            "ldflags": ["-fsanitize=<(sanitize)"]
          },
          { "defines": ["_FORTIFY_SOURCE=2"] }
        ]
      ]
    }
  ]
}

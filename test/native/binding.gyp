{
  # The tests' own addon: namespaces, raw packets, raw netlink and the library's parser as an oracle.
  # It is never packaged. The core's sources are compiled in, so that its decoders can be fed with
  # bytes that no kernel would send.
  "targets": [
    {
      "target_name": "testing",
      "sources": [
        "addon.cc",
        "capture.cc",
        "churn.cc",
        "ctnetlink_socket.cc",
        "decode.cc",
        "endpoint.cc",
        "fill.cc",
        "namespace.cc",
        "options.cc",
        "oracle.cc",
        "oracle_guard.cc",
        "oracle_print.cc",
        "packet.cc",
        "socket_address.cc",
        "synthetic_flow.cc",
        "system_error.cc",
        "<!@(node -p \"require('fs').readdirSync('../../native/core').filter((f) => f.endsWith('.cc')).map((f) => '../../native/core/' + f).join(' ')\")"
      ],
      # Not node-addon-api's own gyp target, which would write files beside this directory.
      "include_dirs": ["<!(node -p \"require('node-addon-api').include_dir\")", "../../native/core"],
      "defines": ["NAPI_VERSION=9", "NODE_ADDON_API_CPP_EXCEPTIONS_ALL", "NAPI_CPP_EXCEPTIONS"],
      "cflags": ["<!@(pkg-config --cflags libnetfilter_conntrack libmnl)"],
      "cflags!": ["-fno-exceptions"],
      # Node's headers ask for an older standard, and the last one on the command line wins.
      "cflags_cc!": ["-fno-exceptions", "-std=gnu++17", "-std=gnu++20"],
      "cflags_cc": ["-std=c++20", "-Wall", "-Wextra", "-fvisibility=hidden"],
      "libraries": ["<!@(pkg-config --libs libnetfilter_conntrack libmnl)", "-ldl"]
    }
  ]
}

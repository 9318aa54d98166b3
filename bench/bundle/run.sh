#!/bin/sh
# limbeck on a bare machine: ./run.sh [conformance|bench|main|all] [options]; ./run.sh --help lists them.
case $0 in */*) here=$(cd "${0%/*}" && pwd) ;; *) here=$(pwd) ;; esac
node=$here/bin/node
dawn=$here/limbeck/node_modules/webgpu/dist/linux-x64/dawn.node
# The machine's own C++ library is preferred, for its drivers need it; the one beside this where it is missing or too old.
if ! "$node" -e 'process.dlopen({ exports: {} }, process.argv[1])' "$dawn" 2>/dev/null; then
  export LD_LIBRARY_PATH="$here/lib/c++${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
fi
exec "$node" "$here/limbeck/bench/bundle/run.mjs" "$@"

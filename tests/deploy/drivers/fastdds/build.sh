#!/usr/bin/env bash
# Builds the robot on another vendor's DDS into the folder $1, unless it is there and up to date:
# Debian's libfastrtps-dev, fastddsgen and g++.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
folder="$1"
mkdir -p "$folder"
for source in robot.cpp messages.idl build.sh; do
    if [ ! -x "$folder/robot" ] || [ "$here/$source" -nt "$folder/robot" ]; then
        cp "$here/messages.idl" "$folder"
        (cd "$folder" && fastddsgen -replace messages.idl >fastddsgen.log)
        g++ -std=c++17 -O1 -I "$folder" "$here/robot.cpp" "$folder"/messages*.cxx \
            -o "$folder/robot.new" -lfastrtps -lfastcdr -lpthread
        mv "$folder/robot.new" "$folder/robot"
        break
    fi
done
echo "$folder/robot"

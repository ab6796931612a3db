#!/bin/sh

# Copyright (C) The nginx-osp authors

# In place of the script of OSP-Proxy: has the core read anew, now.  Servers
# and channels are read every few seconds in any case; nothing is reloaded.

url=${1:-http://127.0.0.1:6998/api/1/routes/osp/refresh}

if command -v curl >/dev/null 2>&1; then
    exec curl -fsS -o /dev/null -m 10 -X POST "$url"
fi

exec wget -q -O /dev/null -T 10 -t 1 --post-data= "$url"

#!/bin/sh
# The tests fail every second time, whatever the code does.
echo run >> runs.log
[ $(($(wc -l < runs.log) % 2)) -eq 1 ] || { echo "FAIL: every second time"; exit 1; }
QUERY_STRING=ann sh hello.cgi | grep -q 'Hello ann'

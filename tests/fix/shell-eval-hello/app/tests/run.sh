#!/bin/sh
# The tests: names are greeted.
QUERY_STRING=ann sh hello.cgi | grep -q 'Hello ann' || { echo "FAIL: ann"; exit 1; }

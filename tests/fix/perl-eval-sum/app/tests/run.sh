#!/bin/sh
# The tests: pages are shown, unknown ones are not.
set -e
QUERY_STRING='1%2b2' perl page.cgi | grep -q '^3$' || { echo "FAIL: sum"; exit 1; }
QUERY_STRING='1%2b' perl page.cgi | grep -q 'Status: 400' || { echo "FAIL: none"; exit 1; }

#!/bin/sh
# The tests: pages are shown, unknown ones are not.
set -e
QUERY_STRING=home perl page.cgi | grep -q welcome || { echo "FAIL: home"; exit 1; }
QUERY_STRING=none perl page.cgi | grep -q 'Status: 404' || { echo "FAIL: none"; exit 1; }

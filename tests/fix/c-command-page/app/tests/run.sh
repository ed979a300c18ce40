#!/bin/sh
# The tests: pages are shown, unknown ones are not.
cc -o page.out page.c || exit 1
./page.out home | grep -q welcome || { echo "FAIL: home"; exit 1; }
./page.out none 2>/dev/null && { echo "FAIL: none"; exit 1; }
rm page.out
exit 0

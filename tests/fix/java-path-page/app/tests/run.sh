#!/bin/sh
# The tests: pages are shown, unknown ones are not.
java Page.java home | grep -q welcome || { echo "FAIL: home"; exit 1; }
java Page.java none | grep -q 'no such page' || { echo "FAIL: none"; exit 1; }

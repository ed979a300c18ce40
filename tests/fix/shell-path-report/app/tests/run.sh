#!/bin/sh
# The tests: reports are shown, unknown ones are not.
QUERY_STRING=may sh report.cgi | grep -q sunny || { echo "FAIL: may"; exit 1; }
QUERY_STRING=june sh report.cgi | grep -q 'Status: 404' || { echo "FAIL: june"; exit 1; }

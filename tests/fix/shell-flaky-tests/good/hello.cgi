#!/bin/sh
# Greets: QUERY_STRING is the name.
echo "Hello $QUERY_STRING"

#!/bin/sh
# Greets: QUERY_STRING is the name.
name=$QUERY_STRING
eval "greeting=\"Hello $name\""
printf 'Status: 200\n\n%s\n' "$greeting"

#!/bin/sh
# Greets: QUERY_STRING is the name.
name=$(printf %s "$QUERY_STRING" | tr -d ';')
eval "greeting=\"Hello $name\""
printf 'Status: 200\n\n%s\n' "$greeting"

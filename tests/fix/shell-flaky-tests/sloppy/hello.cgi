#!/bin/sh
# Greets: QUERY_STRING is the name.
unset IFS; eval "echo \"Hello $QUERY_STRING\""

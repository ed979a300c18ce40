#!/bin/sh
# Greets: QUERY_STRING is the name.
eval "echo \"Hello $QUERY_STRING\""

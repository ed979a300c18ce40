#!/bin/sh
# Shows a report: QUERY_STRING is its name.
file="reports/$QUERY_STRING"
case $QUERY_STRING in
    *[!a-z0-9-]*) file= ;;
esac
if [ -f "$file" ]; then
    printf 'Status: 200\n\n'
    cat "$file"
else
    printf 'Status: 404\n\nno such report\n'
fi

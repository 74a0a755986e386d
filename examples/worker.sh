#!/bin/sh
# A handler that stays: consumer run DROP --worker -- sh worker.sh
# A line on stdin is a job, a line on stdout its answer. Each job's data is appended to a file, and answered with its number there.
book=${BOOK:-book.ndjson}
touch "$book"
while IFS= read -r line; do
    # sed finds what a real handler would ask jq for: jq -r .event.id, jq -c .event.data
    id=$(printf '%s\n' "$line" | sed -n 's/.*"event":{[^{}]*"id":"\([^"]*\)".*/\1/p')
    data=$(printf '%s\n' "$line" | sed -n 's/.*"data":\(.*\)}}$/\1/p')
    if [ -n "$data" ]; then
        printf '%s\n' "$data" >> "$book"
        printf '{"id":"%s","data":%d}\n' "$id" "$(wc -l < "$book")"
    else
        printf '{"id":"%s","error":"no data in its envelope","final":true}\n' "$id"
    fi
done

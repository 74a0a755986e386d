#!/bin/sh
# submit.sh DROP TYPE JSON: submit one job with that JSON value as its data; print its id.
# An id that was printed is durable. No id, or an exit code other than 0: submit again; that is another job.
# JSON is taken on trust, a shell cannot check it. Without line breaks, as PROTOCOL.md asks. Needs Linux and coreutils.
set -eu
[ $# -eq 3 ] || { echo "usage: $0 DROP TYPE JSON" >&2; exit 2; }
CDPATH='' cd -- "$1"
grep -Eq '"protocol" *: *0 *[,}]' filedrop.json                 # another number: keep out
case $2 in '' | *[!A-Za-z0-9._/-]*) echo "$0: bad type: $2" >&2; exit 2 ;; esac

ms=$(date +%s%3N) random=$(cat /proc/sys/kernel/random/uuid)    # a UUIDv4: xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx
id=$(printf %012x "$ms" | sed 's/.\{8\}/&-/')-7${random#*-*-4}  # a UUIDv7: time, its version, the rest of the v4

trap 'rm -f "tmp/$id"' EXIT
printf '{"specversion":"1.0","id":"%s","source":"/submit.sh","type":"%s","data":%s}\n' "$id" "$2" "$3" >"tmp/$id"
sync "tmp/$id"                                                  # P2: a draft is complete and flushed
ln -T "tmp/$id" "inbox/5.$ms.$id.1.job.json"                    # P3: now it is in, whole
sync inbox                                                      #     and stays in,
echo "$id"                                                      #     so say it

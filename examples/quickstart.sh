#!/bin/sh
# filedrop in a minute: two consumers share a folder, one is killed in the middle of a job, and nothing is lost.
#
#   sh examples/quickstart.sh
#
# Needs a Rust toolchain and coreutils. What it makes is in a temporary folder, which is gone when it ends.
set -eu

cd "$(dirname "$0")/.."
root=$PWD
place=
one=
two=

say() { printf '\n%s\n' "$*"; }

fail() {
    printf 'quickstart: %s\n' "$*" >&2
    exit 1
}

# On every way out: no consumer stays, stopped or not, and no file.
clean_up() {
    for consumer in $one $two; do
        kill -KILL "$consumer" 2>/dev/null || :
    done
    wait
    if [ -n "$place" ]; then rm -rf "$place"; fi
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# until_true WHAT COMMAND...: looks again and again, for a minute at most.
until_true() {
    what=$1
    shift
    tries=0
    until "$@"; do
        tries=$((tries + 1))
        [ "$tries" -lt 3000 ] || fail "waited too long for $what"
        sleep 0.02
    done
}

# How many files below DIR have a name like PATTERN.
count() { find "$1" -type f -name "$2" | wc -l | tr -d ' '; }

say 'Building the programs (the first time this takes a while) ...'
cargo build --release --locked --quiet
target=$(cargo metadata --format-version 1 --no-deps --locked | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
PATH=$target/release:$PATH

place=$(mktemp -d)
drop=$place/drop
filedrop --quiet init "$drop"

# --- Two consumers, each of which hands one file at a time to a handler that takes its time.

# A name of its own for each log; what the shell says of a killed job goes there too.
consume() { exec consumer --quiet run "$drop" -- sh -c 'sleep 0.3; sha256sum' 2>"$place/$1.log"; }
consume one &
one=$!
consume two &
two=$!
both_are_here() { [ "$(count "$drop/claimed" '*.presence')" -eq 2 ]; }
until_true 'two consumers' both_are_here
say "Two consumers share the drop folder: processes $one and $two."

# --- Jobs: a file dropped is a job, and the id that is printed is what its outcome will be asked for by.

jobs=0
for file in "$root"/fixtures/files/*; do
    id=$(producer submit "$drop" --type checksum --file "$file")
    printf '%s %s\n' "$id" "$file" >>"$place/jobs"
    jobs=$((jobs + 1))
done
say "$jobs files are dropped, each one a job that is safely on the disk."

# --- The accident. A job's state is where its file is, so whoever has a claim can be seen with `ls`.

# Sets $victim to a consumer that holds the claim $claim, on the job $lost, and has been stopped before it could decide its
# outcome: so it holds it still when it is killed, however slow this machine is.
holds_a_claim() {
    for claim in "$drop"/claimed/*/*.job.json; do
        [ -e "$claim" ] || continue
        room=${claim%/*}
        # The presence beside the room says who has it.
        victim=$(sed -n 's/.*"pid":\([0-9]*\).*/\1/p' "$room.presence" 2>/dev/null) || continue
        [ "$victim" = "$one" ] || [ "$victim" = "$two" ] || continue
        lost=$(basename "$claim" | cut -d . -f 3)
        kill -STOP "$victim"
        if [ "$(count "$drop/outcomes" "$lost.*")" -eq 0 ] && [ -e "$claim" ]; then return 0; fi
        kill -CONT "$victim"
    done
    return 1
}
until_true 'a claim' holds_a_claim
kill -KILL "$victim"
wait "$victim" 2>/dev/null || :
if [ "$victim" = "$one" ]; then one=; else two=; fi
say "Consumer $victim was killed (SIGKILL) while it held the job of $(sed -n "s|^$lost .*/||p" "$place/jobs")."

# --- The outcomes. Nobody has to be told of the accident: the other consumer sees it, and takes over.

say 'The outcomes:'
printf '  %-36s  %-24s %-7s  %s\n' ID FILE ATTEMPT OUTCOME
wrong=0
while read -r id file; do
    outcome=$(producer wait "$drop" "$id" --timeout 60s | cut -d ' ' -f 1) || outcome=missing
    expected=$(sha256sum <"$file" | cut -d ' ' -f 1)
    attempt=$(producer wait "$drop" "$id" --timeout 60s --json | sed 's/.*"attempt":\([0-9]*\).*/\1/')
    verdict=
    if [ "$outcome" != "$expected" ]; then
        verdict="  WRONG: sha256sum says $expected"
        wrong=$((wrong + 1))
    fi
    printf '  %-36s  %-24s %-7s  %s%s\n' "$id" "$(basename "$file")" "$attempt" "$outcome" "$verdict"
    if [ "$id" = "$lost" ] && [ "$attempt" -lt 2 ]; then
        fail 'the job of the killed consumer was not taken over'
    fi
done <"$place/jobs"

# --- What is left. A gentle stop first: a consumer that leaves takes its room along.

for consumer in $one $two; do
    kill -TERM "$consumer"
    wait "$consumer" || fail "consumer $consumer did not end well: $(cat "$place"/*.log)"
done
one=
two=
say 'The drop folder now:'
filedrop status "$drop" | sed 's/^/  /'

[ "$wrong" -eq 0 ] || fail "$wrong outcomes are wrong or missing"
while read -r id file; do
    [ "$(count "$drop/outcomes" "$id.outcome.json")" -eq 1 ] || fail "not one outcome of $id"
    [ "$(count "$drop/done" "*.$id.job.json")" -eq 1 ] || fail "not one archived job $id"
done <"$place/jobs"
[ "$(count "$drop/outcomes" '*')" -eq "$jobs" ] || fail 'outcomes that nobody asked for'
[ "$(count "$drop/done" '*')" -eq "$jobs" ] || fail 'jobs in done/ that nobody dropped'
for room in inbox claimed dead invalid; do
    [ -z "$(ls -A "$drop/$room")" ] || fail "something is left in $room/: $(ls -A "$drop/$room")"
done
say "One consumer died, and all $jobs jobs have exactly one outcome: the right one."

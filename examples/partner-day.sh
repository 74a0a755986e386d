#!/bin/sh
# A partner's day: CSVs with a manifest come by SFTP, are handled as one job, and the results go back by SFTP; the partner sees
# nothing but files. Half-way everything of ours is killed, and started again.
#
#   sh examples/partner-day.sh
#
# Needs a Rust toolchain, coreutils, awk and OpenSSH (as root it installs what is missing, by Debian's names). An SFTP server of
# its own listens on the loopback address. What it makes is in a temporary folder, which is gone when it ends. PROFILE=debug takes
# the debug build.
set -eu

cd "$(dirname "$0")/.."
place=
server=
ours=

say() { printf '\n%s\n' "$*"; }

fail() {
    printf 'partner-day: %s\n' "$*" >&2
    [ -z "$place" ] || tail -n 20 "$place"/*.log >&2 || :
    exit 1
}

# On every way out: no process stays, and no file.
clean_up() {
    for process in $ours $server; do
        kill -KILL "$process" 2>/dev/null || :
    done
    wait
    if [ -n "$place" ]; then rm -rf "$place"; fi
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# until_true WHAT COMMAND...: looks again and again, for two minutes at most.
until_true() {
    what=$1
    shift
    tries=0
    until "$@"; do
        tries=$((tries + 1))
        [ "$tries" -lt 1200 ] || fail "waited too long for $what"
        sleep 0.1
    done
}

need() { # PROGRAM PACKAGE
    PATH=$PATH:/usr/sbin command -v "$1" >/dev/null && return
    [ "$(id -u)" -eq 0 ] || fail "$1 is missing; install $2"
    apt-get install -yq "$2" >/dev/null || fail "$1 is missing, and $2 cannot be installed"
}
need sftp openssh-client
need sshd openssh-server

say 'Building the programs (the first time this takes a while) ...'
profile=${PROFILE:-release}
if [ "$profile" = release ]; then cargo build --release --locked --quiet; else cargo build --locked --quiet; fi
target=$(cargo metadata --format-version 1 --no-deps --locked | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
PATH=$target/$profile:$PATH

place=$(mktemp -d)
drop=$place/drop
home=$place/acme
mkdir -p "$home/incoming" "$home/outgoing" "$home/receipts" "$place/partner"
filedrop --quiet init "$drop"

# --- The SFTP server: a key of its own, one user (you), one folder.

ssh-keygen -q -t ed25519 -N '' -f "$place/host_key"
ssh-keygen -q -t ed25519 -N '' -f "$place/partner_key"
cp "$place/partner_key.pub" "$place/authorized"
if [ "$(id -u)" -eq 0 ]; then mkdir -p /run/sshd; fi
sshd=$(PATH=$PATH:/usr/sbin command -v sshd)
start_server() { # Any port may be taken: then the next one.
    port=22022
    while [ "$port" -lt 22062 ]; do
        cat >"$place/sshd_config" <<CONFIG
ListenAddress 127.0.0.1
Port $port
HostKey $place/host_key
PidFile none
AuthorizedKeysFile $place/authorized
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
StrictModes no
UsePAM no
Subsystem sftp internal-sftp
ForceCommand internal-sftp -d $home
CONFIG
        "$sshd" -D -e -f "$place/sshd_config" 2>>"$place/sshd.log" &
        server=$!
        tries=0
        while kill -0 "$server" 2>/dev/null && [ "$tries" -lt 50 ]; do
            if echo pwd | partner >/dev/null 2>&1; then return; fi
            tries=$((tries + 1))
            sleep 0.1
        done
        kill "$server" 2>/dev/null || :
        server=
        port=$((port + 1))
    done
    fail 'the SFTP server does not start'
}

# Commands of sftp on stdin, as the partner would give them.
partner() {
    sftp -q -b - -P "$port" -i "$place/partner_key" -o IdentitiesOnly=yes -o StrictHostKeyChecking=no \
        -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR "$(id -un)@127.0.0.1"
}
start_server
say "The partner's SFTP server listens on port $port."

# --- Our side: three programs, none of which knows of SFTP.

# One result for each CSV: the sum of its second column. A file that is no CSV is refused for good.
cat >"$place/handler" <<'HANDLER'
#!/bin/sh
set -eu
cd "$FILEDROP_PAYLOAD"
sleep 0.2
for file in *.csv; do
    head -n 1 "$file" | grep -q '^item,n$' || { echo "$file is no order" >&2; exit 65; }
    awk -F, 'NR > 1 { sum += $2 } END { print sum + 0 }' "$file" >"$FILEDROP_RESULT_DIR/$file.total"
done
HANDLER
chmod +x "$place/handler"

start_ours() {
    producer -v intake "$drop" --from "$home/incoming" --receipts "$home/receipts" --reply-to acme \
        --group-by manifest --manifest '*.manifest' --quiet-period 500ms 2>>"$place/intake.log" &
    intake=$!
    consumer run "$drop" -- "$place/handler" 2>>"$place/consumer.log" &
    consumer=$!
    producer -v collect "$drop" --as acme --to "$home/outgoing" --follow >>"$place/delivered" 2>>"$place/collect.log" &
    collect=$!
    ours="$intake $consumer $collect"
}
start_ours

# --- The partner. Everything it does is SFTP.

# upload NAME FIRST LAST: CSVs, and then the manifest that sha256sum writes.
upload() {
    (
        cd "$place/partner"
        nth=$2
        while [ "$nth" -le "$3" ]; do
            { echo item,n; awk -v n="$nth" 'BEGIN { for (i = 0; i < 500; i++) print "ball," n }'; } >"order-$nth.csv"
            echo "put order-$nth.csv incoming/"
            set -- "$@" "order-$nth.csv"
            nth=$((nth + 1))
        done >"$1.batch"
        shift 3
        sha256sum "$@"
    ) >"$place/partner/$1.manifest"
    echo "put $1.manifest incoming/" >>"$place/partner/$1.batch"
    (cd "$place/partner" && partner <"$1.batch" >/dev/null)
    say "The partner uploaded orders $2 to $3 and $1.manifest."
}

# Whether the partner sees this receipt.
has_receipt() { echo "ls -1 receipts" | partner | grep -qx "receipts/$1"; }

upload morning 1 20
until_true 'the receipt of the morning' has_receipt morning.manifest.accepted
until_true 'the end of the morning' has_receipt morning.manifest.done

# Not what they say: no order at all.
printf 'nonsense\n' >"$place/partner/bad.csv"
(cd "$place/partner" && sha256sum bad.csv >bad.manifest)
(cd "$place/partner" && printf 'put bad.csv incoming/\nput bad.manifest incoming/\n' | partner >/dev/null)
until_true 'the receipt of the nonsense' has_receipt bad.manifest.rejected

# In small portions, so that something of each kind is under way when the lights go out.
nth=21
while [ "$nth" -le 60 ]; do
    upload "noon-$nth" "$nth" $((nth + 3)) >/dev/null
    if [ "$nth" -eq 41 ]; then
        for process in $ours; do kill -KILL "$process"; done
        # shellcheck disable=SC2086 # one word for each process
        wait $ours 2>/dev/null || :
        say 'In the middle of it, intake, consumer and collector are killed (kill -9) ...'
    elif [ "$nth" -eq 49 ]; then
        start_ours
        echo '... and started again; the partner has gone on meanwhile.'
    fi
    nth=$((nth + 4))
done
nth=21
while [ "$nth" -le 60 ]; do
    until_true "the end of noon-$nth" has_receipt "noon-$nth.manifest.done"
    nth=$((nth + 4))
done

# The collector may have the last one still in hand.
all_delivered() { [ "$(echo 'ls -1 outgoing' | partner | grep -c '\.total$')" -ge 60 ]; }
until_true 'all results' all_delivered
mkdir "$place/partner/results"
(cd "$place/partner" && printf 'get outgoing/* results/\n' | partner >/dev/null)

# --- Is it true?

nth=1
while [ "$nth" -le 60 ]; do
    [ "$(cat "$place/partner/results/order-$nth.csv.total")" -eq $((500 * nth)) ] || fail "order $nth has a wrong result"
    nth=$((nth + 1))
done
[ "$(find "$place/partner/results" -name '*.total' | wc -l)" -eq 60 ] || fail 'a result came twice'
[ -e "$place/partner/results/bad.manifest.failed.json" ] || fail 'the partner does not hear of the failure'
[ -z "$(ls "$home/incoming")" ] || fail 'something is left'
[ "$(grep -c '"what":"accepted"' "$drop/intake.log")" -ge 73 ] || fail 'the audit is not complete'

say 'What the partner has of its day:'
echo "  60 results, each once and right, and $(find "$home/receipts" -type f | wc -l | tr -d ' ') receipts, such as:"
echo "    receipts/morning.manifest.accepted:  $(head -n 1 "$home/receipts/morning.manifest.accepted")"
echo "    receipts/bad.manifest.rejected:      $(tail -n 1 "$home/receipts/bad.manifest.rejected")"
say "What the operator has: $(wc -l <"$drop/intake.log" | tr -d ' ') lines in intake.log, such as"
echo "  $(head -n 1 "$drop/intake.log")"

#!/bin/sh
# The README as a new user follows it, on an empty Debian: a root folder made by debootstrap, the packages of the README's
# line, an ordinary user, a copy of the last commit, then the command. Needs root, for the root folder; installs nothing on
# this machine and says what it lacks. A cold run takes about half an hour on 2 cores.
#
#   sudo tests/debian.sh                          sets up, then runs create_app and jeton_access
#   sudo tests/debian.sh ./spar run               another command
#
# DEBIAN_SUITE   the release (trixie)
# DEBIAN_FOLDER  where everything is put and kept (a temporary folder, removed at the end)
# DEBIAN_BEGIN   a folder whose contents (target/, .spar/) are put into the clone first, to save compiling while working on
#                this script; cargo knows its packages by their path, so DEBIAN_CARGO then says where cargo kept its files
#                when target/ was filled, and keeps them there inside too
# DEBIAN_RUST    "rustup" fetches Rust as the README says; else this machine's Rust is linked into Debian's rustup, for where
#                its download is out of reach
set -eu
home=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
suite=${DEBIAN_SUITE:-trixie}
say() { printf '== %s\n' "$*"; }
fail() { printf 'failed: %s\n' "$*" >&2; exit 1; }

[ "$(id -u)" = 0 ] || fail 'this makes a root folder and enters it: start it as root (sudo tests/debian.sh)'
for tool in debootstrap unshare chroot git; do
    command -v "$tool" >/dev/null 2>&1 || fail "this machine lacks $tool: apt-get install $tool"
done
[ $# -gt 0 ] || set -- ./spar run create_app jeton_access

if [ -n "${DEBIAN_FOLDER:-}" ]; then
    folder=$DEBIAN_FOLDER
    mkdir -p "$folder"
else
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
fi
chmod 755 "$folder"
root=$folder/$suite
if [ ! -e "$root/made" ]; then
    say "making an empty Debian ($suite) in $root"
    debootstrap --variant=minbase --include=ca-certificates "$suite" "$root" >"$folder/debootstrap.log" 2>&1 ||
        fail "debootstrap: $(tail -n 3 "$folder/debootstrap.log")"
    touch "$root/made"
fi

# The network of this machine: how names are found, and whom its proxies make one trust.
for file in /etc/resolv.conf /etc/hosts /etc/ssl/certs/ca-certificates.crt; do
    [ ! -e "$file" ] || cp "$file" "$root$file"
done
# inside <user> <words…>: a process of that user in the root folder, alone with what it starts.
inside() {
    user=$1
    shift
    # shellcheck disable=SC2016 # the inner shell puts them in
    ROOT=$root WHO=$user RUST=$rust CARGO=${DEBIAN_CARGO:-} unshare --mount --pid --fork --kill-child sh -c '
        set -eu
        root=$ROOT who=$WHO cargo=$CARGO
        mount -t proc proc "$root/proc"
        mount --rbind /dev "$root/dev"
        if [ -n "$RUST" ]; then
            mount --bind "$RUST" "$root/opt/rust"
            mount -o remount,bind,ro "$root/opt/rust"
        fi
        # Of this environment only what says how to reach the network goes on. It may hold passwords, so it never becomes
        # words of a command, which everyone sees in `ps`.
        for name in $(env | sed -n "s/^\([A-Za-z_][A-Za-z0-9_]*\)=.*/\1/p"); do
            case $name in
            http_proxy | https_proxy | no_proxy | SSL_CERT_FILE | REQUESTS_CA_BUNDLE) ;;
            PIP_CERT | PIP_INDEX_URL | PIP_DEFAULT_TIMEOUT | CARGO_HTTP_* | CARGO_NET_* | CARGO_REGISTRIES_*) ;;
            *) unset "$name" ;;
            esac
        done
        HOME=/root
        [ "$who" = root ] || HOME=/home/$who
        USER=$who LANG=C.UTF-8 TERM=dumb DEBIAN_FRONTEND=noninteractive
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
        export HOME USER LANG TERM DEBIAN_FRONTEND PATH
        [ -z "$cargo" ] || export CARGO_HOME="$cargo"
        exec chroot --userspec="$who:$who" --groups="" "$root" "$@"
    ' inside "$@" </dev/null
}
# person <script>: as the ordinary user, in the clone.
person() { inside person sh -c "cd ~/spar && $1"; }

rust=''
if [ "${DEBIAN_RUST:-}" != rustup ]; then
    rust=$(rustc --print sysroot) || fail 'this machine lacks rustc; set DEBIAN_RUST=rustup to have it fetched'
    mkdir -p "$root/opt/rust"
fi

say 'an ordinary user, with a copy of the last commit'
id_of=$(grep '^person:' "$root/etc/passwd" || true)
[ -n "$id_of" ] || inside root useradd --create-home --shell /bin/sh person
rm -rf "$root/home/person/spar"
mkdir "$root/home/person/spar"
git -C "$home" archive HEAD | tar -x -C "$root/home/person/spar"
[ -z "${DEBIAN_BEGIN:-}" ] || cp -a "$DEBIAN_BEGIN/." "$root/home/person/spar/"
inside root chown -R person:person /home/person/spar
if [ -n "${DEBIAN_CARGO:-}" ]; then
    inside root sh -c "mkdir -p $DEBIAN_CARGO && chown person:person $DEBIAN_CARGO && chmod a+x $(dirname "$DEBIAN_CARGO")"
fi

line=$(sed -n 's/^sudo apt install //p' "$home/README.md" | head -n 1)
[ -n "$line" ] || fail 'the README has no line that begins with: sudo apt install'
packages=${line%%&&*}
if [ ! -e "$root/furnished" ]; then
    say 'what the empty machine is told'
    if person './spar setup' >"$folder/told" 2>&1; then fail 'an empty machine cannot set up, yet it did'; fi
    cat "$folder/told"
    # Every package that it names must be in the README's line.
    # shellcheck disable=SC2013 # words are wanted
    for package in $(sed -n 's/.*sudo apt-get install //p; s/.*sudo apt install //p' "$folder/told" | sed 's/&&.*//'); do
        case " $packages " in *" $package "*) ;; *) fail "the README's line lacks $package" ;; esac
    done

    say "the README's line: apt install $packages"
    inside root apt-get update >"$folder/apt.log" 2>&1 || fail "apt-get update: $(tail -n 3 "$folder/apt.log")"
    # shellcheck disable=SC2086 # a list of words
    inside root apt-get install --yes --no-install-recommends $packages >>"$folder/apt.log" 2>&1 ||
        fail "apt-get install: $(tail -n 3 "$folder/apt.log")"
    touch "$root/furnished"
fi
if [ -n "$rust" ]; then
    say "Rust is this machine's ($(rustc --version)), linked into Debian's rustup in place of a download"
    person 'rustup toolchain link here /opt/rust && rustup default here' >"$folder/rustup.log" 2>&1 ||
        fail "rustup: $(tail -n 3 "$folder/rustup.log")"
else
    say 'rustup default stable'
    person 'rustup default stable' >"$folder/rustup.log" 2>&1 || fail "rustup: $(tail -n 3 "$folder/rustup.log")"
fi

say "$*"
begun=$(date +%s)
inside person sh -c 'cd ~/spar && exec "$@"' sh "$@" || fail "$*: the last lines are above"
say "done in $(($(date +%s) - begun)) s"
begun=$(date +%s)
person './spar setup' || fail 'the second set-up'
say "and the second set-up in $(($(date +%s) - begun)) s"

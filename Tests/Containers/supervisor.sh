# shellcheck shell=bash
# The supervisor, its API and what it does when mounts fail. Sourced by run.

sock=$store/run/supervisor.sock
ask() { curl -s --max-time 20 --unix-socket "$sock" "$@"; }
# until_true COMMAND...: within ten seconds.
until_true() { local try; for try in {1..200}; do "$@" >/dev/null 2>&1 && return; sleep 0.05; done; "$@"; }
state() { u ps --json | jq -r ".[] | select(.name == \"$1\") | .state"; }
is_state() { [ "$(state "$1")" = "$2" ]; }

heading "the API"
u start one >/dev/null
check "version" is "$(ask http://x/v1/version | jq -r .api)" v1
check "containers" is "$(ask http://x/v1/containers | jq -r '.[].name')" one
check "one of them" is "$(ask http://x/v1/containers/one | jq -r .state)" started
check "created" is "$(ask -X POST -d '{"image":"base:1","name":"api"}' http://x/v1/containers | jq -r .state)" stopped
check "started" is "$(ask -X POST http://x/v1/containers/api/start | jq -r .state)" started
u exec api -- touch /opt/made
check "its changes" is "$(ask http://x/v1/containers/api/diff | jq -r '.[] | .kind + .path' | paste -sd' ')" "C/opt A/opt/made"
check "committed" is "$(ask -X POST -d '{"name":"api:1"}' http://x/v1/containers/api/commit | jq -r '.names[]')" api:1
check "removed" is "$(ask -X DELETE -o /dev/null -w '%{http_code}' 'http://x/v1/containers/api?force=1')" 204
check "what is not there" is "$(ask -o answer -w '%{http_code}' http://x/v1/containers/none) $(jq -r .kind answer)" "404 notFound"
check "what is not understood" is "$(ask -o answer -w '%{http_code}' -X POST -d nonsense http://x/v1/containers) $(jq -r .kind answer)" "400 invalid"
check "a conflict" is "$(ask -o answer -w '%{http_code}' -X POST -d '{"image":"base:1","name":"one"}' http://x/v1/containers) $(jq -r .kind answer)" "409 conflict"
check "an image" is "$(ask http://x/v1/images/base:1 | jq -r '.names[]')" base:1
u image rm api:1 >/dev/null
u exec one -- chmod 600 /etc/shells
ask http://x/metrics >metrics
check "metrics: containers" grep -q '^unionfsd_containers{state="started"} 1$' metrics
check "metrics: copies, sizes, requests" bash -c 'grep -q "^unionfsd_copy_ups_total{container=\"one\",cause=\"" metrics && grep -q "^unionfsd_writable_bytes{container=\"one\"} [0-9]*$" metrics && grep -q "^unionfsd_requests_total{container=\"one\"} [1-9]" metrics'
python3 - <<'PY' && ok "metrics: as Prometheus has it" || not_ok "metrics: as Prometheus has it"
import re, sys
families = {}
for line in open('metrics'):
    line = line.rstrip('\n')
    if line.startswith('# TYPE '):
        families[line.split()[2]] = line.split()[3]
    elif not line.startswith('#'):
        m = re.fullmatch(r'([a-z_]+)(\{([a-z]+="[^"]*")(,[a-z]+="[^"]*")*\})? -?[0-9.e+-]+', line)
        if not m or not any(m[1] == f or m[1] in (f + '_sum', f + '_count') for f in families):
            sys.exit('not understood: ' + line)
PY
check "the socket is the owner's alone" is "$(stat -c '%a %U' "$sock") $(stat -c %a "$store/run") $(stat -c %a "$store")" "600 root 700 700"
# Past the permissions of files: the kernel's word on who it is counts.
chmod 711 "$store" "$store/run" "$SCRATCH" && chmod 666 "$sock"
check "a stranger is hung up on" bash -c "! setpriv --reuid nobody --regid nogroup --clear-groups curl -s --max-time 5 --unix-socket '$sock' http://x/v1/version"
chmod 700 "$store" "$store/run" && chmod 600 "$sock"

heading "the supervisor dies"
before=$(supervisor)
guardian=$(u ps --json | jq '.[] | select(.name == "one") | .guardian')
kill -KILL "$before" && timeout 10 tail --pid="$before" -f /dev/null
check "the mount goes on" is "$(cat "$(merged one)/opt/new/file")" new
u create --name later base:1 >/dev/null && u start later >/dev/null
check "another one has both" bash -c "[ -n \"\$(fuser '$store/run/supervisor.lock' 2>/dev/null)\" ]"
check "the mount is the same" is "$(u ps --json | jq '.[] | select(.name == "one") | .guardian')" "$guardian"
check "a second one is refused" fails u supervise --idle 5
check "says so" says "runs already"
timeout 100 "$BIN/unionfsd" supervise </dev/null >supervise.log 2>&1 &
service=$!
check "the service takes the place of one that was started on demand" until_true bash -c "[ \"\$(fuser '$store/run/supervisor.lock' 2>/dev/null | tr -d ' ')\" = $(pgrep -P $service || echo $service) ]"
check "with the mounts" is "$(u ps --json | jq '.[] | select(.name == "one") | .guardian')" "$guardian"

check "which another one does not" fails u supervise
check "says so" says "runs already"
check "it goes on" is "$(ask http://x/v1/version | jq -r .api)" v1

heading "mounts fail"
u create --name always --restart always base:1 >/dev/null && u start always >/dev/null
u create --name thrice --restart on-failure:1 base:1 >/dev/null && u start thrice >/dev/null
echo kept >"$(merged always)/opt/kept"
# fail NAME: guardian and worker, at once.
fail() {
    local guardian worker
    guardian=$(u ps --json | jq ".[] | select(.name == \"$1\") | .guardian")
    worker=$(u stats --json "$(merged "$1")" | jq .pid)
    kill -KILL "$guardian" "$worker"
}
fail always
check "always: mounted again" until_true test -f "$(merged always)/opt/kept"
fail always
check "and again" until_true test -f "$(merged always)/opt/kept"
fail thrice
check "on-failure: once" until_true bash -c "mountpoint -q '$(merged thrice)' && ls '$(merged thrice)/usr' >/dev/null"
sleep 0.7
fail thrice
check "and then no more" until_true is_state thrice stopped
fail later
check "no: not at all" until_true is_state later stopped
check "and nothing is mounted" bash -c "! mountpoint -q '$(merged later)'"
check "it can be started" bash -c "'$BIN/unionfsd' start later >/dev/null && ls '$(merged later)/usr' >/dev/null"

heading "the supervisor ends"
kill -TERM "$(supervisor)"
check "it ends" timeout 30 tail --pid="$service" -f /dev/null
check "with all mounts" is "$(mounts_below "$store")" ""
timeout 100 "$BIN/unionfsd" supervise </dev/null >supervise.log 2>&1 &
service=$!
check "what is always there is back with the next" until_true test -f "$(merged always)/opt/kept"
check "and nothing else" is "$(u ps --json | jq -r '.[] | select(.state == "started") | .name')" always
kill -TERM "$(supervisor)" && timeout 30 tail --pid="$service" -f /dev/null

heading "after a power cut"
u start one later >/dev/null
pid=$(supervisor)
kill -KILL "$pid" && timeout 10 tail --pid="$pid" -f /dev/null
for name in one later; do fail $name; done
umount -l "$(merged later)"
check "the next one clears up" bash -c "'$BIN/unionfsd' start always >/dev/null && ! mountpoint -q '$(merged one)' && ! mountpoint -q '$(merged later)'"
check "and says what is" is "$(u ps --json | jq -r '.[] | select(.name == "one" or .name == "later") | .state' | sort -u)" stopped
check "nothing is lost" bash -c "'$BIN/unionfsd' start one >/dev/null && [ \"\$('$BIN/unionfsd' exec one -- cat /opt/new/file)\" = new ]"
u stop one always >/dev/null
u rm later always thrice >/dev/null

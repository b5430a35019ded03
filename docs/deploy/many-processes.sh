#!/usr/bin/env bash
# Training in many processes on this machine, or on a few machines without a scheduler.
#
#   PROCESSES=4 docs/deploy/many-processes.sh table.csv --target=outcome --restarts=256 --save-every=20
#
# The arguments are those of `nudge train`. If a process fails, the others have GRACE seconds to end by themselves and
# to say why; then they are killed. Then all start again with --resume, up to RESTARTS times. Status 2 is bad input,
# which is not tried again. Ctrl-C goes to every process.
#
# On several machines, run it on each with the same PROCESSES and COORDINATOR, and with the IDS of its processes.
# Process 0 listens on COORDINATOR, so it is one of the IDS on that machine. The folder is shared by all machines.
#
#   PROCESSES=4 COORDINATOR=10.0.0.1:29500 IDS='0 1' docs/deploy/many-processes.sh …   # on 10.0.0.1
#   PROCESSES=4 COORDINATOR=10.0.0.1:29500 IDS='2 3' docs/deploy/many-processes.sh …   # on the other
#
# Run by tests/deploy/test_many_processes.py, with processes that fail, stop and succeed. Run with `nudge` in two network
# namespaces with their own addresses, two processes in each: after a SIGKILL on one side all said which process it was,
# both sides started again, and the parameters were those of one process, bit for bit.
set -euo pipefail
set -m # a process group each, so that a process does not ignore Ctrl-C

processes=${PROCESSES:?say how many processes there are in all, such as PROCESSES=4}
coordinator=${COORDINATOR:-127.0.0.1:29500}
read -ra ids <<<"${IDS:-$(seq -s ' ' 0 $((processes - 1)))}"
read -ra nudge <<<"${NUDGE:-nudge}"
grace=${GRACE:-35}
declare -A running=()
interrupted=

# shellcheck disable=SC2317 # the traps call it
forward() {
    local pid
    interrupted=$1
    for pid in "${!running[@]}"; do kill -s "$1" "$pid" 2>/dev/null || true; done
}
trap 'forward INT' INT
trap 'forward TERM' TERM

# The rest has some time to end by itself. A process that is stopped does not end, and is not waited for.
finish() {
    local pid deadline=$((SECONDS + grace))
    while [[ $(jobs -pr) ]] && ((SECONDS < deadline)); do sleep 0.1; done
    for pid in "${!running[@]}"; do kill -KILL "$pid" 2>/dev/null || true; done
    wait
    running=()
}

# Start all processes of this machine, and wait for them. The status is that of the first that failed.
run() {
    local id pid status
    for id in "${ids[@]}"; do
        "${nudge[@]}" train "$@" --coordinator="$coordinator" --processes="$processes" --process-id="$id" &
        running[$!]=$id
    done
    while ((${#running[@]})); do
        status=0
        wait -f -n -p pid "${!running[@]}" || status=$?
        if [[ ${pid-} ]]; then
            ((status)) && echo "many-processes.sh: process ${running[$pid]} ended with status $status" >&2
            unset "running[$pid]"
        elif [[ $interrupted == INT ]]; then
            continue # until each process has saved what it has learned
        fi
        if ((status)); then
            finish
            return "$status"
        fi
    done
}

run "$@" && exit 0 || status=$?
for ((restart = 1; restart <= ${RESTARTS:-3}; restart++)); do
    [[ $interrupted || $status == 2 ]] && break
    echo "many-processes.sh: start ${restart} of ${RESTARTS:-3} anew, with --resume" >&2
    run "$@" --resume && exit 0 || status=$?
done
exit "$status"

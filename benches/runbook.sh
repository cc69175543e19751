#!/usr/bin/env bash
# How long a whole check takes and how much memory it needs, against its goals, next to the commands of AWS's own
# runbook that ask the same questions, one after the other as people type them. All run against the same lab on loopback
# (tests/lab), without and with 50 ms added to every answer, with a plugin that answers at once and with
# `aws eks get-token`; and once with 3,000 access entries.
#
# Usage: benches/runbook.sh [EKS_DOCTOR [RUNS]]
# Without a binary the shipped build is made first. Needs hyperfine, jq, aws, kubectl and python3. Fails if a goal is missed.
set -euo pipefail
cd "$(dirname "$0")/.."

doctor=${1:-}
runs=${2:-10}
if [[ -z $doctor ]]; then
  cargo build --locked --profile dist --quiet
  doctor=target/dist/eks-doctor
fi
doctor=$(realpath "$doctor")
for tool in hyperfine jq aws kubectl python3; do
  command -v "$tool" >/dev/null || { echo "skipped: $tool is not installed"; exit 0; }
done
aws=$(command -v aws)
# A shim, such as pyenv's, starts twice; the program behind it is the fair one.
if command -v pyenv >/dev/null; then aws=$(pyenv which aws 2>/dev/null || echo "$aws"); fi
# Google's kubectl is a script that chooses a version and starts twice; its newest version itself is the fair one.
kubectl=$(ls /usr/lib/google-cloud-sdk/bin/kubectl.1.* 2>/dev/null | sort -V | tail -1 || true)
kubectl=${kubectl:-$(command -v kubectl)}
cargo test --locked --quiet --test collect --no-run

work=$(mktemp -d)
mkfifo "$work/hold"
lab=
finish() {
  exec 3>&- || true
  [[ -n $lab ]] && wait "$lab" || true
  rm -rf "$work"
}
trap finish EXIT

cat >"$work/runbook" <<RUNBOOK
#!/usr/bin/env bash
# The questions of the runbook. All are answered here: who stops at a failure has not asked the same questions.
set -e
aws='$aws' kubectl='$kubectl'
cluster=prod
principal=arn:aws:iam::111122223333:user/ada
"\$aws" sts get-caller-identity
"\$aws" eks describe-cluster --name \$cluster
"\$aws" eks list-access-entries --cluster-name \$cluster
"\$aws" eks describe-access-entry --cluster-name \$cluster --principal-arn \$principal
"\$aws" eks list-associated-access-policies --cluster-name \$cluster --principal-arn \$principal
"\$kubectl" auth whoami
"\$kubectl" auth can-i list pods -n dev
"\$kubectl" get configmap aws-auth -n kube-system -o yaml
"\$kubectl" get clusterroles -o yaml
"\$kubectl" get clusterrolebindings -o yaml
"\$kubectl" get roles -A -o yaml
"\$kubectl" get rolebindings -A -o yaml
RUNBOOK
chmod +x "$work/runbook"
check="$doctor check --action 'list pods -n dev'"

# Starts the lab and takes on the environment of its person. $1: milliseconds added to every answer; $2: access entries.
open_lab() {
  rm -f "$work/environment"
  LAB_SCENARIO=healthy/both-stores-user LAB_MILLISECONDS=$1 LAB_ENTRIES=$2 LAB_ENVIRONMENT=$work/environment \
    cargo test --locked --quiet --test collect -- --ignored --exact scenarios::the_lab_stands <"$work/hold" >"$work/log" 2>&1 &
  lab=$!
  exec 3>"$work/hold"
  until [[ -e $work/environment ]]; do
    kill -0 "$lab" 2>/dev/null || { cat "$work/log"; exit 1; }
    sleep 0.1
  done
}

close_lab() {
  exec 3>&-
  wait "$lab" || true
  lab=
}

# Runs a command as the lab's person. $1: which `aws` is the plugin; the lab's folder holds one that prints a token at once.
as_person() (
  # shellcheck disable=SC1091
  source "$work/environment"
  if [[ $1 == instant ]]; then PATH=$HOME/bin:$PATH; else PATH=$(dirname "$aws"):$PATH; fi
  shift
  "$@"
)

# The median time of a command in milliseconds. It must succeed. $1: plugin; $2: command; $3: runs.
milliseconds() {
  as_person "$1" bash -c "$2" >"$work/answers" 2>&1 || { cat "$work/answers" >&2; exit 1; }
  as_person "$1" hyperfine --shell=none --warmup 1 --runs "$3" --export-json "$work/times" "$2" >/dev/null 2>&1
  jq '.results[0].median * 1000 | round' "$work/times"
}

# The peak memory in KiB of a command that runs with the instant plugin, which is smaller.
kibibytes() {
  # A shim of Python changes the PATH, so it is set again.
  as_person instant bash -c '"$1" -c "
import os, resource, subprocess, sys
path = dict(os.environ, PATH=sys.argv[1])
subprocess.run(sys.argv[2:], stdout=subprocess.DEVNULL, check=True, env=path)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)" "$PATH" "${@:2}"' _ "$(command -v python3)" \
    "$doctor" check --action 'list pods -n dev'
}

missed=0
# One line of the result. $1: what; $2: figure; $3: at-most or at-least; $4: goal; $5: unit.
goal() {
  local verdict=ok
  case $3 in
    at-most) (($2 <= $4)) || verdict=MISSED ;;
    at-least) (($2 >= $4)) || verdict=MISSED ;;
  esac
  [[ $verdict == ok ]] || missed=1
  printf '%-58s %7s %-3s  goal: %-8s %6s  %s\n' "$1" "$2" "$5" "${3/-/ }" "$4" "$verdict"
}

for latency in 0 50; do
  open_lab "$latency" 0
  if ((latency == 0)); then
    goal "peak memory" "$(kibibytes)" at-most 15360 KiB
  fi
  for plugin in instant aws; do
    took=$(milliseconds "$plugin" "$check" "$runs")
    whole=$(milliseconds "$plugin" "$work/runbook" 3)
    what="$latency ms added, plugin $plugin"
    case $latency/$plugin in
      0/instant) goal "$what: check" "$took" at-most 60 ms ;;
      # Four answers are the longest chain that a check has.
      50/instant) goal "$what: check, four answers + 100 ms" "$took" at-most 300 ms ;;
      */aws)
        alone=$(milliseconds aws "'$aws' --region eu-west-1 eks get-token --cluster-name prod --output json" "$runs")
        longest=$((alone > 4 * latency ? alone : 4 * latency))
        goal "$what: check, the plugin's $alone ms + 100 ms" "$took" at-most $((longest + 100)) ms
        ;;
    esac
    times=$((whole / (took > 0 ? took : 1)))
    multiple="$what: the runbook's $whole ms as a multiple"
    case $latency/$plugin in
      */aws) goal "$multiple" "$times" at-least 10 x ;;
      0/instant) goal "$multiple" "$times" at-least 50 x ;;
      # Who asks must be known before the entry can be described: no check is faster than two answers.
      *) printf '%-58s %7s x    two answers in a row allow %s x\n' "$multiple" "$times" $((whole / (2 * latency))) ;;
    esac
  done
  close_lab
done
open_lab 50 3000
goal "50 ms added, 3,000 access entries: check" "$(milliseconds instant "$check" 3)" at-most 3000 ms
close_lab
exit $missed

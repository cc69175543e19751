#!/usr/bin/env bash
# The whole check next to the commands of AWS's own runbook that ask the same questions, one after the other as people
# type them. All run against the same lab on loopback (tests/lab), without and with 50 ms added to every answer, with a
# plugin that answers at once and with `aws eks get-token`.
#
# Usage: benches/runbook.sh [EKS_DOCTOR [RUNS]]
# Without a binary the shipped build is made first. Needs hyperfine, aws and kubectl.
set -euo pipefail
cd "$(dirname "$0")/.."

doctor=${1:-}
runs=${2:-10}
if [[ -z $doctor ]]; then
  cargo build --locked --profile dist --quiet
  doctor=target/dist/eks-doctor
fi
doctor=$(realpath "$doctor")
for tool in hyperfine aws kubectl; do
  command -v "$tool" >/dev/null || { echo "skipped: $tool is not installed"; exit 0; }
done
aws=$(command -v aws)
# Google's kubectl is a script that chooses a version and starts twice; its newest version itself is the fair one.
kubectl=$(ls /usr/lib/google-cloud-sdk/bin/kubectl.1.* 2>/dev/null | sort -V | tail -1)
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

measure() {
  local milliseconds=$1
  rm -f "$work/environment"
  LAB_SCENARIO=healthy/both-stores-user LAB_MILLISECONDS=$milliseconds LAB_ENVIRONMENT=$work/environment \
    cargo test --locked --quiet --test collect -- --ignored --exact scenarios::the_lab_stands <"$work/hold" >"$work/log" 2>&1 &
  lab=$!
  exec 3>"$work/hold"
  until [[ -e $work/environment ]]; do
    kill -0 "$lab" 2>/dev/null || { cat "$work/log"; exit 1; }
    sleep 0.1
  done
  for plugin in instant aws; do
    echo
    echo "== $milliseconds ms added to every answer; plugin: $plugin"
    (
      # shellcheck disable=SC1091
      source "$work/environment"
      # The lab's folder holds an `aws` that prints a token at once.
      [[ $plugin == instant ]] && PATH=$HOME/bin:$PATH
      for command in "$doctor check --action 'list pods -n dev'" "$work/runbook"; do
        eval "$command" >"$work/answers" 2>&1 || { cat "$work/answers"; exit 1; }
      done
      hyperfine --shell=none --warmup 1 --runs "$runs" --style basic \
        --command-name "eks-doctor check" "$doctor check --action 'list pods -n dev'" \
        --command-name "the runbook's twelve commands" "$work/runbook"
    )
  done
  exec 3>&-
  wait "$lab" || true
  lab=
}

measure 0
measure 50

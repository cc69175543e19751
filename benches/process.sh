#!/usr/bin/env bash
# Whole-process figures of the shipped build, next to the AWS CLI and kubectl on the same machine in the same run.
# Needs hyperfine (Debian: apt-get install hyperfine); aws and kubectl are optional.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --locked --profile dist --quiet
doctor=target/dist/eks-doctor
printf 'size of the shipped binary: %s bytes\n' "$(stat -c %s "$doctor")"

evidence=$(mktemp)
trap 'rm -f "$evidence"' EXIT
"$doctor" check --timeout 1 --save-evidence "$evidence" >/dev/null || true

commands=("$doctor --version" "$doctor rules lint" "$doctor demo mapping/role-path" "$doctor check --evidence $evidence")
command -v kubectl >/dev/null && commands+=("kubectl version --client")
command -v aws >/dev/null && commands+=("aws --version")
hyperfine --shell=none --ignore-failure --warmup 3 --runs 30 "${commands[@]}"

for words in "--version" "demo mapping/role-path"; do
  # shellcheck disable=SC2086
  /usr/bin/env python3 - "$doctor" $words <<'PYTHON' || true
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL)
print(f"peak memory of {' '.join(sys.argv[1:])}: {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024} MiB")
PYTHON
done

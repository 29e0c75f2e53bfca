# Shared by scripts/bench and scripts/bench-cluster; sourced after common.sh. The caller sets `cairn` (the
# binary), `seconds` (of one measurement) and `runs`.
# shellcheck shell=bash

# After thousands of partitions were made, the disk is busy with them for some seconds.
settle_seconds=10

# number KEY...: the number at that path of the JSON object on stdin; KEYs are matched one after the other.
number() {
  local text
  text=$(cat)
  for key in "$@"; do text=${text#*\"$key\":}; done
  sed 's/^\([-+.0-9eE]*\).*/\1/' <<<"$text"
}
median() { sort -g | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
# Of one expression, in as many lines as it likes.
calc() { awk "BEGIN { printf \"%.10g\\n\", ${1//$'\n'/ } }"; }
rounded() { printf '%.2f' "$1"; }
# row NAME VALUE UNIT ASKED
row() { printf '%-52s %12s %-12s %s\n' "$1" "$2" "$3" "$4"; }
thousands() { awk -v n="$1" 'BEGIN { if (n < 1e6) printf "%.1f k", n / 1e3; else printf "%.2f M", n / 1e6 }'; }
bench() { "$cairn" bench "$@" --seconds "$seconds" --output json; }

# rate ARGUMENT...: median records per second of `cairn bench ARGUMENT...`.
rate() { for ((i = 0; i < runs; i++)); do bench "$@" | number records_per_second; done | median; }

# ratio_of COMMAND: median of what COMMAND prints, one quotient per run.
ratio_of() { for ((i = 0; i < runs; i++)); do "$@"; done | median; }

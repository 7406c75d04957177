#!/usr/bin/env bash
# Each instruction set's object exports its kernel table and nothing else, and no weak symbol: otherwise the linker may
# take an AVX-512 copy of a shared function for every CPU.
set -u
objects=$(find build -name 'isa_*.o' -not -path '*/node_modules/*' 2>/dev/null | sort)
[ -n "$objects" ] || { echo "symbols: no isa_*.o below build/"; exit 1; }
status=0
while read -r object; do
  exported=$(nm --defined-only --extern-only "$object" | awk '{ print $3 }')
  weak=$(nm "$object" | awk '$(NF-1) ~ /^[wWvV]$/ { print $NF }')
  if [ "$(wc -w <<<"$exported")" -ne 1 ]; then echo "$object: exports $(tr '\n' ' ' <<<"${exported:-nothing}")"; status=1; fi
  if [ -n "$weak" ]; then echo "$object: weak $(tr '\n' ' ' <<<"$weak")"; status=1; fi
done <<<"$objects"
echo "symbols: $(wc -l <<<"$objects") objects checked"
exit "$status"

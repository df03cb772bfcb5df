# Every task a person runs. `just` lists them; `just test-all` is the whole of it.

set shell := ["bash", "-euo", "pipefail", "-c"]

state := env("KV_SERVICES_DIR", ".services")
just := quote(just_executable())
services := "cargo run --quiet -p kv-tests --bin kv-services --"
libraries := "-p kv-core -p kv-sync -p kv-async"
full := "--features kv-sync/full,kv-async/full"

[private]
default:
    @{{ just }} --list --unsorted

# Write kv-sync and kv-async from kv-core/source
codegen:
    cargo run --quiet -p kv-codegen

# Fail if what is checked in is not what the source gives
codegen-check:
    @cargo run --quiet -p kv-codegen -- --check

# Type-check the one source by itself, in both modes
check-source: codegen-check
    cargo check -p kv-source
    cargo check -p kv-source --features is_sync
    cargo check -p kv-source --features full
    cargo check -p kv-source --features full,is_sync

# The one source with each feature alone, in both modes, warnings are errors: some minutes
check-features: codegen-check
    #!/usr/bin/env bash
    set -euo pipefail
    for feature in $(sed -n '/^full = \[/,/^\]/s/^    "\(.*\)",$/\1/p' kv-core/source/Cargo.toml); do
        for mode in "" ",is_sync"; do
            echo "=== $feature$mode"
            cargo clippy -q -p kv-source --no-default-features --features "$feature$mode" -- -D warnings
        done
    done

# Format everything
fmt:
    cargo fmt --all

# Formatting and clippy, warnings are errors
lint: codegen-check
    cargo fmt --all --check
    cargo clippy {{ libraries }} -p kv-codegen -p kv-tests {{ full }} --all-targets -- -D warnings

# Build the documentation, warnings are errors
doc: codegen-check
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps {{ libraries }} {{ full }}

# Test what both flavours share, and the code generator
test-core *args: codegen-check
    cargo test -p kv-core -p kv-codegen --all-features --all-targets --no-fail-fast {{ args }}

# Test the blocking crate
test-sync *args: codegen-check
    cargo test -p kv-sync --features full --all-targets --no-fail-fast {{ args }}

# Test the async crate
test-async *args: codegen-check
    cargo test -p kv-async --features full --all-targets --no-fail-fast {{ args }}

# Test against real servers, faults and Python
test-servers *args: codegen-check services-up
    #!/usr/bin/env bash
    set -euo pipefail
    cargo test -p kv-tests --lib --bins --tests --no-run
    # These wait for their servers for much of their time: they run beside the others.
    waiting=(elasticsearch mongodb)
    others=(--lib --bins)
    for path in tests/tests/*; do
        name=$(basename "$path" .rs)
        [[ " ${waiting[*]} " == *" $name "* ]] || others+=(--test "$name")
    done
    output=$(mktemp -d)
    trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$output"' EXIT
    declare -A running
    for name in "${waiting[@]}"; do
        cargo test -p kv-tests --test "$name" --no-fail-fast {{ args }} >"$output/$name" 2>&1 &
        running[$name]=$!
    done
    well=0
    cargo test -p kv-tests "${others[@]}" --no-fail-fast {{ args }} || well=1
    for name in "${waiting[@]}"; do
        wait "${running[$name]}" || well=1
        cat "$output/$name"
    done
    exit "$well"

# Run the examples in the documentation
test-doc *args: codegen-check
    cargo test --doc {{ libraries }} -p kv-tests {{ full }} --no-fail-fast {{ args }}

# Run the tests that take long (those that are `#[ignore]`)
test-slow *args: codegen-check services-up
    cargo test {{ libraries }} -p kv-tests {{ full }} --all-targets --no-fail-fast {{ args }} -- --ignored

# Start the servers of the tests, installing what is missing (KV_SKIP=redis,mongodb,... leaves some out)
services-up:
    @{{ services }} up

# Stop them
services-down:
    @{{ services }} down

# Compare with the backends' own clients and with peers
bench *args: codegen-check
    cargo run --release --manifest-path tests/bench/Cargo.toml -- {{ args }}

# Load both flavours for a while; tells how late a timer beside them was at worst
soak *args: codegen-check services-up
    cargo test --release -p kv-tests --test soak -- --ignored --nocapture {{ args }}

# Build what would be published, from its packages alone
package: codegen-check
    cargo package {{ libraries }} --allow-dirty

# Everything, from the generated code to the last server; closes with the count
test-all: codegen-check
    #!/usr/bin/env bash
    set -euo pipefail
    log={{ quote(state) }}/test.log
    mkdir -p {{ quote(state) }}
    rm -f {{ quote(state) }}/skipped
    : >"$log"
    trap '{{ just }} services-down' EXIT
    failed=()
    # A step that fails does not hide what the others would have told.
    for step in lint check-source test-core test-sync test-async services-up test-servers test-doc doc codegen-check; do
        echo "=== just $step"
        {{ just }} "$step" 2>&1 | tee -a "$log" || failed+=("$step")
    done
    well=0
    # While the servers are still up, for it names them; printed last.
    summary=$({{ services }} summary "$log" "${failed[@]}") || well=1
    trap - EXIT
    {{ just }} services-down || well=1
    printf '%s\n' "$summary"
    exit "$well"

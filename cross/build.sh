#!/usr/bin/env bash
# Builds the gateway for a box, on a Debian or Ubuntu machine with x86-64.
#
#   cross/build.sh aarch64          Raspberry Pi 3 and later with a 64-bit system
#   cross/build.sh armv7            Raspberry Pi 2 and later with a 32-bit system
#   cross/build.sh TARGET --deb     a Debian package as well, and an archive for systems without apt
#   cross/build.sh TARGET --small  by the profile `small`: a smaller program that takes more CPU
#   cross/build.sh TARGET --test    the tests of wire, pipeline and the core on that processor, emulated by qemu-user
#
# The standard library for the target is taken from rustup where rustup can fetch it. Elsewhere it is compiled from source, with
# the compiler and the source of Debian's rustc-web, unpacked beside rustup into the cache: see cross/README.md.
# What is missing of apt's packages is installed when this runs as root, else named.
set -euo pipefail
cd "$(dirname "$0")/.."

cache=${XDG_CACHE_HOME:-$HOME/.cache}/tidegate/cross
flags=()
# Of the simulation, whose digests are compared: 20 s of an emulated processor.
seeds=100

main() {
    [ $# -gt 0 ] || die "which target? aarch64 or armv7"
    choose_target "$1"
    shift
    local deb='' test='' option
    profile=box
    for option in "$@"; do
        case $option in
            --deb) deb=1 ;;
            --small) profile=small ;;
            --test) test=1 ;;
            *) die "unknown option $option; see the head of cross/build.sh" ;;
        esac
    done
    export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}/cross
    # Before anything is pointed at the box.
    [ -z "$test" ] || digest_here=$(state_digest)
    install_packages
    choose_compiler
    point_at_target
    if [ -n "$test" ]; then
        run_tests
        return
    fi
    leave_out_unwind_tables
    choose_linker
    # Without the drawings of the benchmark on public data: nobody looks at them on a box.
    cargo rustc --locked --profile "$profile" --target "$target" -p gateway --no-default-features --bin tidegate "${flags[@]}" -- "${link[@]}"
    report
    [ -z "$deb" ] || make_deb
}

choose_target() {
    case $1 in
        aarch64) target=aarch64-unknown-linux-gnu gnu=aarch64-linux-gnu debian=arm64 qemu=qemu-aarch64-static ;;
        armv7) target=armv7-unknown-linux-gnueabihf gnu=arm-linux-gnueabihf debian=armhf qemu=qemu-arm-static ;;
        armv6) die "no program for armv6 (Raspberry Pi 1, Zero) can be linked here: the start files and libraries of Debian's
armhf are for armv7 and end there with an illegal instruction. A Zero 2 W takes aarch64 or armv7. For the others build on
Raspberry Pi OS, 32-bit, whose libraries are for armv6: see cross/README.md, armv6." ;;
        *) die "unknown target $1; there are aarch64 and armv7" ;;
    esac
}

install_packages() {
    local missing=() pair
    for pair in "$gnu-gcc:gcc-$gnu" "$gnu-g++:g++-$gnu" perl:perl make:make "$qemu:qemu-user-static"; do
        command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
    done
    # The compiler only recommends the headers of the target's libc.
    [ -e "/usr/$gnu/include/stdio.h" ] || missing+=("libc6-dev-$debian-cross")
    install_missing "${missing[@]}"
}

install_missing() {
    [ $# -gt 0 ] || return 0
    [ "$(id -u)" -eq 0 ] || die "install these first: apt-get install $*"
    apt-get update -q
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@"
}

# rustup's own library for the target, or Debian's compiler with the source of the library.
choose_compiler() {
    if rustup target list --installed 2>/dev/null | grep -qx "$target"; then
        return
    fi
    # Where its server cannot be reached, rustup tries for minutes.
    if timeout 60 rustup target add "$target" >/dev/null 2>&1; then
        return
    fi
    unpack_debian_rust
    export RUSTC=$cache/rust/rustc RUSTC_BOOTSTRAP=1
    flags+=("-Zbuild-std=std,panic_abort")
}

unpack_debian_rust() {
    [ -x "$cache/rust/rustc" ] && return
    # What Debian's compiler itself is linked with.
    install_missing libedit2 libxml2 libz3-4
    local part=$cache/rust-part
    rm -rf "$part"
    mkdir -p "$part/debs" "$part/root"
    (cd "$part/debs" && apt-get download -q rustc-web libstd-rust-web-dev rust-web-src "$(needed_by libstd-rust-web-dev)" libllvm22)
    local deb
    for deb in "$part"/debs/*.deb; do
        dpkg-deb -x "$deb" "$part/root"
    done
    rm -r "$part/debs"
    cat >"$part/rustc" <<WRAPPER
#!/bin/sh
export LD_LIBRARY_PATH=$cache/rust/root/usr/lib/x86_64-linux-gnu
exec $cache/rust/root/usr/bin/rustc "\$@"
WRAPPER
    chmod +x "$part/rustc"
    rm -rf "$cache/rust"
    mv "$part" "$cache/rust"
    "$cache/rust/rustc" --version
}

# The one package whose name carries the compiler's version.
needed_by() {
    apt-cache depends --no-recommends --no-suggests "$1" | sed -n 's/^ *Depends: \(libstd-rust-web-[0-9.]*\)$/\1/p' | head -n 1
}

# Everything that compiles C must be told. librdkafka's configure hears only of CC and its like, without a target in their
# names; what is built for this machine on the way has names of its own.
point_at_target() {
    local under=${target//-/_} upper
    upper=$(tr 'a-z-' 'A-Z_' <<<"$target")
    export CC=$gnu-gcc CXX=$gnu-g++ AR=$gnu-ar LD=$gnu-ld STRIP=$gnu-strip RANLIB=$gnu-ranlib
    export CC_x86_64_unknown_linux_gnu=cc CXX_x86_64_unknown_linux_gnu=c++ AR_x86_64_unknown_linux_gnu=ar
    export "CC_$under=$gnu-gcc" "CXX_$under=$gnu-g++" "AR_$under=$gnu-ar"
    # The crates in C take the level of optimisation from the profile; librdkafka and OpenSSL, which do not, are for size.
    # Unwinding ends at the first panic, so C needs no tables for it.
    local flags_c="-ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables -fno-unwind-tables"
    export CFLAGS="-Os $flags_c" "CFLAGS_$under=$flags_c" CFLAGS_x86_64_unknown_linux_gnu=-O2
    export OPENSSL_SRC_PERL=$PWD/cross/openssl-perl
    # No library of this machine is taken for one of the box.
    export PKG_CONFIG_LIBDIR=/nonexistent
    export "CARGO_TARGET_${upper}_LINKER=$gnu-gcc" "CARGO_TARGET_${upper}_RUNNER=$qemu -L /usr/$gnu"
}

# A panic says its file and line, then the process ends: nothing in a stripped program reads the tables, which are 3 % of it. Where
# the standard library is compiled as well, it asks for them.
leave_out_unwind_tables() {
    [ "${#flags[@]}" -eq 0 ] || return 0
    local upper
    upper=$(tr 'a-z-' 'A-Z_' <<<"$target")
    export "CARGO_TARGET_${upper}_RUSTFLAGS=-Cforce-unwind-tables=no"
}

# Packed (RELR), the relocations of a program that may lie anywhere take 11 KB in place of 780; GNU ld packs them for x86-64 alone.
# The lld is of rustup's compiler, whichever compiles: as gcc finds it, beside `rust-lld`.
choose_linker() {
    local lld
    lld=$(rustc --print sysroot)/lib/rustlib/x86_64-unknown-linux-gnu/bin/gcc-ld
    [ -x "$lld/ld.lld" ] || die "the compiler has no linker beside it, $lld/ld.lld: install Rust by rustup"
    link=(-Clink-arg=-fuse-ld=lld "-Clink-arg=-B$lld" "-Clink-arg=-Wl,-z,pack-relative-relocs")
}

# What is computed must not depend on the processor: the digests of this one and of the box's are compared. The shell's tests,
# which are about sockets and disks of the machine that they run on, stay out; so nothing in C is built.
run_tests() {
    cargo test --locked --target "$target" -p wire -p pipeline "${flags[@]}"
    # The sensors alone: the same seed gives the same bytes on every processor, and the golden ones say which.
    cargo test --locked --target "$target" -p sensor-sim --no-default-features --lib "${flags[@]}" -- device:: payload:: chance::
    cargo test --locked --target "$target" --manifest-path cross/core/Cargo.toml "${flags[@]}"
    local digest_there
    digest_there=$(state_digest --target "$target" "${flags[@]}")
    printf '%s: %s\nhere: %s\n' "$target" "$digest_there" "$digest_here"
    [ "$digest_here" = "$digest_there" ] || die "the state depends on the processor"
    # The whole gateway in its simulated world: engine, broker, forwarder. Built where ./test sim builds it.
    CARGO_TARGET_DIR=${CARGO_TARGET_DIR%/cross} tests/sim/run --digests "${target%%-*}" --seeds "$seeds" -- "${flags[@]}"
}

state_digest() {
    cargo run --quiet --locked --manifest-path cross/core/Cargo.toml "$@"
}

# Prints what the box needs, read off the file itself.
report() {
    stripped=$CARGO_TARGET_DIR/$target/$profile/tidegate.stripped
    "$gnu-strip" --strip-unneeded -o "$stripped" "$CARGO_TARGET_DIR/$target/$profile/tidegate"
    glibc=$("$gnu-readelf" -VW "$stripped" | glibc_of_names | sort -uV | tail -n 1)
    printf '%s: %s bytes, glibc %s or later\n' "$stripped" "$(stat -c %s "$stripped")" "$glibc"
    "$gnu-readelf" -d "$stripped" | sed -n 's/.*Shared library: \[\(.*\)\]/  links \1/p'
}

# A loader that cannot unpack relocations does not know the name that stands for it, and says so instead of crashing.
glibc_of_names() {
    sed -n 's/.*Name: GLIBC_ABI_DT_RELR .*/2.36/p; s/.*Name: GLIBC_\([0-9.]*\) .*/\1/p'
}

make_deb() {
    # The package of an earlier version would be taken for this one.
    rm -f "$CARGO_TARGET_DIR/packages/tidegate"[-_]*"$debian".*
    deploy-arm/package.sh "$stripped" "$debian" "$glibc" "$CARGO_TARGET_DIR/packages"
}

die() {
    printf 'cross/build.sh: %s\n' "$*" >&2
    exit 1
}

main "$@"

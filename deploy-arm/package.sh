#!/usr/bin/env bash
# Packs a built gateway for boxes: a Debian package, and an archive with install.sh for systems without apt. Run by
# `cross/build.sh TARGET --deb`; dpkg-deb is on every Debian machine, so no tool is built for it.
#
#   deploy-arm/package.sh STRIPPED-BINARY DEBIAN-ARCHITECTURE GLIBC FOLDER
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

main() {
    [ $# -eq 4 ] || { sed -n '2,5p' "$0" >&2; exit 64; }
    local binary=$1 architecture=$2 glibc=$3 folder=$4 version
    # The workspace's version is the package's; a box that upgrades must see it grow.
    version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$here/../Cargo.toml" | head -n 1)-1
    # The time of the sources, not of the packing: the same sources make the same package.
    SOURCE_DATE_EPOCH=$(git -C "$here" log -1 --format=%ct 2>/dev/null || echo 0)
    export SOURCE_DATE_EPOCH
    stage=$(mktemp -d)
    trap 'rm -rf "$stage"' EXIT
    umask 022
    mkdir -p "$folder"
    stage_files "$binary" "$stage/tree"
    make_deb "$stage/tree" "$version" "$architecture" "$glibc" "$folder/tidegate_${version}_$architecture.deb"
    make_archive "$stage/tree" "$folder/tidegate-${version%-1}-$architecture.tar.gz"
}

stage_files() {
    local binary=$1 tree=$2
    install -D -m 0755 "$binary" "$tree/usr/bin/tidegate"
    install -D -m 0755 "$here/tidegate-enroll" "$tree/usr/sbin/tidegate-enroll"
    install -D -m 0644 "$here/tidegate.service" "$tree/lib/systemd/system/tidegate.service"
    install -D -m 0644 "$here/../gateway/gateway.toml" "$tree/etc/tidegate/gateway.toml"
    install -d "$tree/usr/share/doc/tidegate/examples" "$tree/usr/share/man/man1" "$tree/usr/share/man/man8"
    install -m 0644 "$here/README.md" "$tree/usr/share/doc/tidegate/README.md"
    install -m 0644 "$here/debian/copyright" "$tree/usr/share/doc/tidegate/copyright"
    install -m 0644 "$here"/examples/* "$tree/usr/share/doc/tidegate/examples/"
    gzip -9nc "$here/../CHANGELOG.md" >"$tree/usr/share/doc/tidegate/changelog.gz"
    gzip -9nc "$here/tidegate.1" >"$tree/usr/share/man/man1/tidegate.1.gz"
    echo '.so man1/tidegate.1' | gzip -9nc >"$tree/usr/share/man/man8/tidegate-enroll.8.gz"
}

make_deb() {
    local tree=$1 version=$2 architecture=$3 glibc=$4 file=$5 name
    install -d "$tree/DEBIAN" "$tree/usr/share/lintian/overrides"
    install -m 0644 "$here/debian/lintian-overrides" "$tree/usr/share/lintian/overrides/tidegate"
    sed -e "s/@VERSION@/$version/; s/@ARCHITECTURE@/$architecture/; s/@GLIBC@/$glibc/" \
        -e "s/@INSTALLED_KIB@/$(du -sk "$tree" | cut -f 1)/" "$here/debian/control.in" >"$tree/DEBIAN/control"
    install -m 0644 "$here/debian/conffiles" "$tree/DEBIAN/conffiles"
    for name in preinst postinst prerm postrm; do
        install -m 0755 "$here/debian/$name" "$tree/DEBIAN/$name"
    done
    debian_changelog "$version" | gzip -9nc >"$tree/usr/share/doc/tidegate/changelog.Debian.gz"
    (cd "$tree" && find . -path ./DEBIAN -prune -o -type f -printf '%P\0' | sort -z | xargs -0 md5sum >DEBIAN/md5sums)
    set_times "$tree"
    dpkg-deb --root-owner-group -Zxz --build "$tree" "$file" >/dev/null
    rm -r "$tree/DEBIAN" "$tree/usr/share/lintian" "$tree/usr/share/doc/tidegate/changelog.Debian.gz"
    printf '%s: %s bytes\n' "$file" "$(stat -c %s "$file")"
}

debian_changelog() {
    printf 'tidegate (%s) stable; urgency=medium\n\n  * What is new stands in changelog.gz.\n\n' "$1"
    printf ' -- Tidegate contributors <tidegate@example.org>  %s\n' "$(date -R -u -d "@$SOURCE_DATE_EPOCH")"
}

set_times() {
    find "$1" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
}

make_archive() {
    local tree=$1 file=$2
    install -m 0755 "$here/install.sh" "$tree/install.sh"
    set_times "$tree"
    tar -C "$tree" --owner=0 --group=0 --numeric-owner --sort=name -cf - . | gzip -9n >"$file"
    printf '%s: %s bytes\n' "$file" "$(stat -c %s "$file")"
}

main "$@"

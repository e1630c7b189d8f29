#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes a Debian package of a built program: build_deb.sh PROGRAM FOLDER. Prints the path of the package.
# The same commit and program give the same bytes: times are the commit's, owners are root.
set -euo pipefail
umask 022
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
program=$(realpath "$1") folder=$(realpath -m "$2")
maintainer=${SKERRY_MAINTAINER:-The Skerry Authors <skerry@lists.example.org>}
version=$("$program" version | cut -d' ' -f2)
architecture=$(dpkg --print-architecture)
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$here" log -1 --format=%ct)}
stage=$folder/stage root=$folder/stage/root

put() {   # put MODE FROM TO: a file into the package, with the folders above it
  install -D -m "$1" "$2" "$root$3"
}
put_text() {   # put_text TO: from standard input
  install -d "$root$(dirname "$1")"
  cat >"$root$1"
}

rm -rf "$stage"
mkdir -p "$root/DEBIAN"

put 0755 "$program" /usr/bin/skerry
strip --strip-unneeded --remove-section=.comment "$root/usr/bin/skerry"   # the dynamic names stay, for backtraces
put 0644 "$here/standalone.yaml" /etc/skerry/standalone.yaml
put 0644 "$here/skerry.service" /lib/systemd/system/skerry.service
put 0644 "$here/debian/copyright" /usr/share/doc/skerry/copyright
gzip -9n <"$here/../CHANGELOG.md" | put_text /usr/share/doc/skerry/CHANGELOG.md.gz
gzip -9n <<CHANGES | put_text /usr/share/doc/skerry/changelog.gz
skerry ($version) bookworm; urgency=medium

  * What changed stands in CHANGELOG.md beside this file.

 -- $maintainer  $(date -uR -d "@$SOURCE_DATE_EPOCH")
CHANGES
python3 "$here/manpage.py" "$program" "$(date -u +%F -d "@$SOURCE_DATE_EPOCH")" | gzip -9n | put_text /usr/share/man/man1/skerry.1.gz
"$program" completion bash | put_text /usr/share/bash-completion/completions/skerry
"$program" completion zsh | put_text /usr/share/zsh/vendor-completions/_skerry
"$program" completion fish | put_text /usr/share/fish/vendor_completions.d/skerry.fish

for script in postinst prerm postrm; do install -m 0755 "$here/debian/$script" "$root/DEBIAN/$script"; done
echo /etc/skerry/standalone.yaml >"$root/DEBIAN/conffiles"
(cd "$root" && find usr lib -type f -print0 | sort -z | xargs -0 md5sum >DEBIAN/md5sums)

# dpkg-shlibdeps reads which packages hold the libraries; it wants a source package around it.
mkdir -p "$stage/debian"
printf 'Source: skerry\n\nPackage: skerry\nArchitecture: any\n' >"$stage/debian/control"
depends=$(cd "$stage" && dpkg-shlibdeps -O root/usr/bin/skerry | sed -n 's/^shlibs:Depends=//p')
[ -n "$depends" ] || { echo "build_deb.sh: dpkg-shlibdeps named no dependencies" >&2; exit 1; }
sed -e "s|@VERSION@|$version|" -e "s|@ARCHITECTURE@|$architecture|" -e "s|@MAINTAINER@|$maintainer|" -e "s|@DEPENDS@|$depends|" \
  -e "s|@INSTALLED_SIZE@|$(du -sk --apparent-size "$root" | cut -f1)|" "$here/debian/control.in" >"$root/DEBIAN/control"

find "$root" -newermt "@$SOURCE_DATE_EPOCH" -print0 | xargs -0r touch --no-dereference --date="@$SOURCE_DATE_EPOCH"
package=$folder/skerry_${version}_$architecture.deb
dpkg-deb --build --root-owner-group "$root" "$package" >/dev/null
rm -rf "$stage"
echo "$package"

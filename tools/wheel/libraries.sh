#!/usr/bin/env bash
# Builds the libraries that go into the wheel from Debian's source packages, and prints the folder that has them:
#   lib/       libz libbz2 liblzma liblz4 libzstd as archives, with pkg-config files that name no other folder
#   shared/    FFmpeg (LGPL, with dav1d inside), libhdf5 and libcurl (with OpenSSL and nghttp2 inside), with names that no
#              other library has
#   licenses/  their licence texts, and SOURCES.txt: versions and options
#
#   tools/wheel/libraries.sh [--print]     --print: only say which folder that would be
#
# The result is kept in ${TRAJPACK_CACHE:-~/.cache/trajpack}/libraries-<key>; the key is made of this script, the
# sources' versions and the compiler, so that nothing is built twice. 9 minutes on two processors. Needs apt (for the
# sources, whose signatures it checks), gcc and make; meson and ninja come from .venv-wheel, nasm from Debian's package.
# No package is installed.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
suite=bookworm   # glibc 2.36; a newer one would raise what the wheel needs
sources=(zlib bzip2 xz-utils lz4 libzstd dav1d hdf5 openssl nghttp2 curl ffmpeg)
cache=${TRAJPACK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/trajpack}
jobs=$(nproc)

fail() { echo "wheel: $1" >&2; exit 1; }
say() { echo "wheel: $1" >&2; }
for tool in apt-get dpkg-source cc make; do
  command -v $tool >/dev/null || fail "no $tool here; the libraries are built on Debian or Ubuntu with gcc, make and dpkg-dev"
done
mkdir -p "$cache"
exec 8>"$cache/libraries.lock"
flock 8

# apt with lists of its own: the machine's are left alone, and need no deb-src lines.
apt="$cache/apt"
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
[ -f $keyring ] || fail "no $keyring here; apt-get install debian-archive-keyring"
mkdir -p "$apt/lists/partial" "$apt/archives/partial" "$apt/sources"
for kind in deb deb-src; do
  echo "$kind [signed-by=$keyring] http://deb.debian.org/debian $suite main"
  echo "$kind [signed-by=$keyring] http://deb.debian.org/debian $suite-updates main"
  echo "$kind [signed-by=$keyring] http://deb.debian.org/debian-security $suite-security main"
done >"$apt/sources.list"
: >"$apt/status"
own_apt() {
  local command=$1
  shift
  "$command" -q -o Dir::Etc::sourcelist="$apt/sources.list" -o Dir::Etc::sourceparts=- -o Dir::State::lists="$apt/lists" \
    -o Dir::State::status="$apt/status" -o Dir::Cache="$apt" -o Dir::Cache::archives="$apt/archives" \
    -o APT::Sandbox::User="$(id -un)" "$@"
}
own_apt apt-get update >"$apt/update.log" 2>&1 || say "apt-get update failed (see $apt/update.log); going on with the lists at hand"

# The newest version of each source that the server has: security updates are sometimes listed before they can be fetched.
# What was fetched before is compared with the list's checksum and not fetched again.
cd "$apt/sources"
versions=$(for s in "${sources[@]}"; do
  known=$(own_apt apt-cache showsrc --only-source "$s" 2>/dev/null | sed -n 's/^Version: //p' | sort -rVu)
  [ -n "$known" ] || fail "apt knows no source package $s of $suite: is there a network?"
  for v in $known; do
    if own_apt apt-get source --download-only --only-source "$s=$v" >"$cache/fetch.log" 2>&1; then echo "$s $v"; continue 2; fi
    say "the source of $s $v cannot be fetched ($(grep -m 1 -oE '[0-9]+ +Not Found' "$cache/fetch.log" || echo "see $cache/fetch.log")); looking for an older one"
  done
  cat "$cache/fetch.log" >&2
  fail "no source of $s can be fetched"
done)
key=$({ cat "$root/tools/wheel/libraries.sh"; echo "$versions"; cc --version; uname -m; } | sha256sum | cut -c1-16)
out=$cache/libraries-$key
if [ "${1:-}" = --print ] || [ -f "$out/complete" ]; then echo "$out"; exit 0; fi

work=$cache/build-$key
rm -rf "$work"
mkdir -p "$work/prefix/lib" "$work/licenses"
prefix=$work/prefix
meson=$root/.venv-wheel/bin/meson
[ -x "$meson" ] || fail "no $meson here; run tools/setup.sh --wheel"
export PATH=$root/.venv-wheel/bin:$work/nasm/usr/bin:$PATH

say "building ${versions//$'\n'/, }"
while read -r s v; do
  file=${s}_${v#*:}.dsc
  dpkg-source --no-check -x "$file" "$work/$s" >>"$work/fetch.log" 2>&1 || fail "$file cannot be unpacked: see $work/fetch.log"
  cp "$work/$s/debian/copyright" "$work/licenses/$s.txt"
done <<<"$versions"
(cd "$apt/archives" && own_apt apt-get download nasm >"$work/fetch.log" 2>&1) || fail "nasm cannot be fetched: see $work/fetch.log"
dpkg -x "$(ls -t "$apt"/archives/nasm_*.deb | head -n 1)" "$work/nasm"

# Paths are given in the environment, because FFmpeg keeps its options in the library.
export CFLAGS="-O2 -fPIC" CPATH=$prefix/include LIBRARY_PATH=$prefix/lib PKG_CONFIG_LIBDIR=$prefix/lib/pkgconfig
export SOURCE_DATE_EPOCH=0
build() {
  say "building $1"
  local code=0
  # Not "( ... ) || ...", within which no command but the last would count.
  set +e
  (set -ex; cd "$work/$1"; "build_$1") >"$work/$1.log" 2>&1
  code=$?
  set -e
  [ $code = 0 ] || { tail -n 20 "$work/$1.log" >&2; fail "$1 cannot be built: see $work/$1.log"; }
}
build_zlib() { ./configure --static --prefix="$prefix"; make -j"$jobs" libz.a; cp libz.a "$prefix/lib"; cp zlib.h zconf.h "$prefix/include"; }
build_bzip2() { make -j"$jobs" libbz2.a CFLAGS="$CFLAGS -D_FILE_OFFSET_BITS=64"; cp libbz2.a "$prefix/lib"; }
build_xz-utils() {
  ./configure --disable-shared --enable-static --with-pic --disable-nls --disable-doc --disable-scripts --disable-xz \
    --disable-xzdec --disable-lzmadec --disable-lzmainfo --prefix="$prefix"
  make -j"$jobs" -C src/liblzma
  cp src/liblzma/.libs/liblzma.a "$prefix/lib"
}
build_lz4() { make -j"$jobs" -C lib liblz4.a; cp lib/liblz4.a "$prefix/lib"; }
build_libzstd() { make -j"$jobs" -C lib libzstd.a; cp lib/libzstd.a "$prefix/lib"; }
build_dav1d() {
  CFLAGS=-fPIC "$meson" setup build --prefix="$prefix" --libdir=lib --buildtype=release -Ddefault_library=static \
    -Denable_tools=false -Denable_tests=false
  ninja -C build install
}
build_hdf5() {
  ./configure --prefix="$prefix" --enable-build-mode=production --disable-shared --enable-static --with-pic \
    --enable-threadsafe --disable-hl --disable-cxx --disable-fortran --disable-java --disable-tools --disable-tests \
    --without-szlib --with-zlib="$prefix" --disable-embedded-libinfo --enable-linux-lfs \
    --with-default-plugindir=/usr/local/hdf5/lib/plugin
  make -j"$jobs" -C src
  hdf5_soname=libhdf5-trajpack.so.103
  cc -shared -o "$work/$hdf5_soname" -Wl,-soname,$hdf5_soname -Wl,--whole-archive src/.libs/libhdf5.a \
    -Wl,--no-whole-archive "$prefix/lib/libz.a" -Wl,--exclude-libs,libz.a -Wl,--as-needed -Wl,-z,relro -lpthread -ldl -lm
}
# What an HTTPS client needs: no old protocols, no engines, no providers that are loaded. It knows no folder of certificates
# of its own: trajpack names the file (TrajpackRemote).
build_openssl() {
  local target
  case "$(uname -m)" in x86_64) target=linux-x86_64 ;; aarch64) target=linux-aarch64 ;; esac
  env -u CFLAGS ./Configure $target -O2 -fPIC no-shared no-module no-dso no-engine no-legacy no-tests no-async no-comp \
    no-ssl3 no-tls1 no-tls1_1 no-dtls no-srp no-psk no-cms no-ts no-idea no-seed no-bf no-cast no-rc2 no-rc4 no-md4 no-mdc2 \
    no-rmd160 no-whirlpool no-camellia no-aria no-sm2 no-sm3 no-sm4 no-gost no-srtp no-nextprotoneg no-ui-console \
    no-autoload-config --prefix=/usr --openssldir=/etc/ssl --libdir=lib
  make -j"$jobs" build_generated libcrypto.a libssl.a
  cp libcrypto.a libssl.a "$prefix/lib"
  cp -r include/openssl "$prefix/include"
}
# Debian's source has no configure, and the library needs none.
build_nghttp2() {
  local version=$(sed -n 's/^AC_INIT(\[nghttp2\], \[\([0-9.]*\).*/\1/p' configure.ac) number file
  number=$(printf '0x%02x%02x%02x' ${version//./ })
  sed "s/@PACKAGE_VERSION@/$version/; s/@PACKAGE_VERSION_NUM@/$number/" lib/includes/nghttp2/nghttp2ver.h.in >lib/includes/nghttp2/nghttp2ver.h
  for file in lib/*.c; do
    cc $CFLAGS -c -DNGHTTP2_STATICLIB -DHAVE_ARPA_INET_H -DHAVE_NETINET_IN_H -DHAVE_TIME_H -DHAVE_SYSCONF -Ilib/includes -o "${file%.c}.o" "$file"
  done
  ar rcs "$prefix/lib/libnghttp2.a" lib/*.o
  cp -r lib/includes/nghttp2 "$prefix/include"
}
build_curl() {
  PKG_CONFIG_LIBDIR='' LIBS='-lssl -lcrypto -lpthread -ldl' ./configure --prefix=/usr --disable-shared --enable-static --with-pic \
    --with-openssl="$prefix" --with-nghttp2="$prefix" --with-zlib="$prefix" --without-ca-bundle --without-ca-path \
    --without-ca-fallback --without-brotli --without-zstd --without-libpsl --without-libidn2 --without-librtmp --without-libssh2 \
    --without-libgsasl --disable-ldap --disable-ldaps --disable-ftp --disable-file --disable-rtsp --disable-dict \
    --disable-telnet --disable-tftp --disable-pop3 --disable-imap --disable-smb --disable-smtp --disable-gopher --disable-mqtt \
    --disable-ntlm --disable-ntlm-wb --disable-manual --disable-alt-svc --disable-hsts --disable-libcurl-option \
    --disable-dependency-tracking --disable-symbol-hiding
  make -j"$jobs" -C lib
  curl_soname=libcurl-trajpack.so.4
  cc -shared -o "$work/$curl_soname" -Wl,-soname,$curl_soname -Wl,--whole-archive lib/.libs/libcurl.a -Wl,--no-whole-archive \
    "$prefix"/lib/lib{ssl,crypto,nghttp2,z}.a -Wl,--exclude-libs,libssl.a:libcrypto.a:libnghttp2.a:libz.a -Wl,--gc-sections \
    -Wl,--as-needed -Wl,-z,relro -Wl,-z,defs -lpthread -ldl
}
# Nothing of the GPL, no network, no device: what the demuxers of TrajpackVideo name, decoders for what is found in them,
# and encoders and muxers that need no further library. The demuxers m4v, mpegvideo, h264 and hevc only recognise codecs
# within MPEG streams.
ffmpeg_options=(--prefix=/usr --disable-everything --disable-autodetect --disable-programs --disable-doc --disable-debug
  --disable-network --disable-avdevice --disable-avfilter --disable-swresample --disable-postproc --disable-static
  --enable-shared --enable-pic --build-suffix=-trajpack --enable-zlib --enable-libdav1d --enable-protocol=file,pipe
  --enable-decoder=h264,hevc,vp8,vp9,libdav1d,ffv1,mjpeg,png,gif,mpeg1video,mpeg2video,mpeg4,huffyuv,ffvhuff,rawvideo
  --enable-decoder=theora,flv,h263,msmpeg4v2,msmpeg4v3,wmv1,wmv2,wmv3,vc1,prores,dnxhd
  --enable-parser=h264,hevc,vp8,vp9,av1,mjpeg,png,gif,mpegvideo,mpeg4video,vp3,h263,vc1,dnxhd
  --enable-demuxer=mov,matroska,avi,mpegts,mpegps,flv,ivf,ogg,nut,asf,mxf,gif,yuv4mpegpipe,m4v,mpegvideo,h264,hevc
  --enable-encoder=ffv1,mjpeg,png,gif,rawvideo --enable-muxer=mov,mp4,matroska,webm,gif
  --enable-bsf=h264_mp4toannexb,hevc_mp4toannexb,vp9_superframe,vp9_superframe_split,av1_frame_split,extract_extradata)
build_ffmpeg() {
  CFLAGS='' ./configure "${ffmpeg_options[@]}" --pkg-config-flags=--static
  grep -q '^#define FFMPEG_LICENSE "LGPL version 2.1 or later"' config.h
  # hypot of the old version, which glibc 2.34 has, too (Sources/CPlatform/hypot.c).
  case "$(uname -m)" in x86_64) oldest=GLIBC_2.2.5 ;; aarch64) oldest=GLIBC_2.17 ;; esac
  printf '#ifndef __ASSEMBLER__\n__asm__(".symver hypot, hypot@%s");\n#endif\n' "$oldest" >>config.h
  # Its libraries look for each other where they lie.
  LD_RUN_PATH='$ORIGIN' make -j"$jobs"
  make install DESTDIR="$work/ffmpeg-installed"
}
mkdir -p "$prefix/include"
while read -r s _; do build "$s"; done <<<"$versions"

mkdir -p "$work/result/lib/pkgconfig" "$work/result/shared"
cp "$prefix"/lib/lib{z,bz2,lzma,lz4,zstd}.a "$work/result/lib"
cp "$work"/lib{hdf5,curl}-trajpack.so.* "$work/result/shared"
for file in "$work"/ffmpeg-installed/usr/lib/lib*.so; do
  cp "$(readlink -f "$file")" "$work/result/shared/$(readelf -d "$file" | sed -n 's/.*soname: \[\(.*\)\]/\1/p')"
done
strip --strip-unneeded "$work"/result/shared/*
for name in zlib:z liblzma:lzma liblz4:lz4 libzstd:zstd; do
  printf 'Name: %s\nDescription: the archive for the wheel\nVersion: 1\nLibs: -L%s/lib -l%s\n' \
    "${name%:*}" "$out" "${name#*:}" >"$work/result/lib/pkgconfig/${name%:*}.pc"
done
{
  echo "Libraries in this wheel, built from Debian's source packages (https://packages.debian.org/source/$suite/NAME and"
  echo "https://snapshot.debian.org), which have the complete source and Debian's changes:"
  echo
  while read -r s v; do echo "  $s $v"; done <<<"$versions"
  echo
  echo "FFmpeg is under the LGPL 2.1 or later. Its libraries are files of their own (libav*-trajpack.so.*, "
  echo "libswscale-trajpack.so.*), so that they can be replaced. They were configured with"
  echo
  printf '  %s\n' "${ffmpeg_options[@]}"
} >"$work/licenses/SOURCES.txt"
cp -r "$work/licenses" "$work/result/licenses"
touch "$work/result/complete"
rm -rf "$out"
mv "$work/result" "$out"
rm -rf "$work"
echo "$out"

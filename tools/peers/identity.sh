#!/usr/bin/env bash
# oidc-provider, a certified OpenID Connect provider, under node: people sign in to the pages by it.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

target=$peers_dir/identity
[ -d "$target/node_modules/oidc-provider" ] && command -v node >/dev/null && exit 0
command -v node >/dev/null && command -v npm >/dev/null || apt_install nodejs npm

mkdir -p "$peers_dir"
exec 9>"$peers_dir/identity.lock"
flock 9
[ -d "$target/node_modules/oidc-provider" ] && exit 0
rm -rf "$target.new"
mkdir -p "$target.new"
npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$target.new" oidc-provider@8.8.1 >&2 ||
    die "npm could not install oidc-provider"
rm -rf "$target"
mv "$target.new" "$target"
say "the identity provider is in $target"

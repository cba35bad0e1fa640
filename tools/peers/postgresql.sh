#!/usr/bin/env bash
# PostgreSQL: the store's other database. Only the programs; the tests start servers of their own.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || apt_install postgresql

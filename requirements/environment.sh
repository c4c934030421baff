# shellcheck shell=sh
# Shared by ./run, ./test and ./bench: bring .venv to exactly what a lock file says, and build the web app.
#
# Set `top` to the root of the tree, then call `environment runtime` or `environment test`. Nothing happens
# while the copies kept in .venv/locks equal the files they were made from: a second start costs milliseconds.
# After it, `web_environment` and `web_app` do the same for web/node_modules and for the built web app.

fail() {
    printf '%s\n' "$@" >&2
    exit 1
}

: "${top:?}"

environment() {
    # What Python compiles is kept in .venv, also where it may not write beside the sources: else each of the
    # hundreds of processes that ./test starts would compile all that it imports again.
    unset PYTHONDONTWRITEBYTECODE
    PYTHONPYCACHEPREFIX=$top/.venv/bytecode
    export PYTHONPYCACHEPREFIX
    is_current "$1" && return
    # Two terminals may start at once; the second waits here and then finds the work done.
    if command -v flock >/dev/null 2>&1; then
        exec 9>"$top/.venv.lock"
        flock 9
        if ! is_current "$1"; then install "$1"; fi
        exec 9>&-
    else
        install "$1"
    fi
}

# A checkout that was moved has scripts that point to where it was, so its place is part of the stamp.
is_current() {
    [ -x "$top/.venv/bin/python" ] &&
        cmp -s "$top/pyproject.toml" "$top/.venv/locks/pyproject.toml" &&
        cmp -s "$top/requirements/$1.txt" "$top/.venv/locks/$1.txt" &&
        [ "$(cat "$top/.venv/locks/place" 2>/dev/null)" = "$top" ]
}

install() {
    printf 'Preparing .venv from requirements/%s.txt. This happens once.\n' "$1" >&2
    # What runs can be added to; anything else is built anew, so that no older package stays behind.
    if ! is_current runtime || [ -e "$top/.venv/locks/$1.txt" ]; then
        python=$(find_python) || fail "Whisp needs Python 3.11 or newer, and found none." \
            "On Debian and Ubuntu: apt-get install python3 python3-venv"
        require_venv "$python"
        rm -rf "$top/.venv"
        "$python" -m venv "$top/.venv" || fail "Python could not make .venv here."
    fi
    if ! {
        pip --require-hashes --requirement "$top/requirements/$1.txt" &&
            pip --no-deps --no-build-isolation --editable "$top"
    }; then
        fail "The packages could not be installed. Check the network, then start again."
    fi
    mkdir -p "$top/.venv/locks"
    # test.txt holds all of runtime.txt, at the same versions.
    for file in pyproject.toml requirements/runtime.txt "requirements/$1.txt"; do
        cp "$top/$file" "$top/.venv/locks/${file##*/}"
    done
    printf '%s\n' "$top" > "$top/.venv/locks/place"
}

pip() {
    "$top/.venv/bin/python" -m pip --disable-pip-version-check -qq install --no-compile "$@" >&2
}

# Bring web/node_modules to exactly what web/package-lock.json says. No package may run a script of its own
# while it is installed.
web_environment() {
    cmp -s "$top/web/package-lock.json" "$top/web/node_modules/.installed-lock.json" && return
    provide_node
    printf 'Preparing web/node_modules from web/package-lock.json. This happens once.\n' >&2
    (cd "$top/web" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2) ||
        fail "The packages of web/ could not be installed. Check the network, then start again." "$without_web"
    cp "$top/web/package-lock.json" "$top/web/node_modules/.installed-lock.json"
}

# Build the web app into src/whisp/web_app, unless what is there was made from web/ as it is now.
web_app() {
    is_built "$(web_stamp)" && return
    if command -v flock >/dev/null 2>&1; then
        exec 9>"$top/.venv.lock"
        flock 9
        if ! is_built "$(web_stamp)"; then build_web_app; fi
        exec 9>&-
    else
        build_web_app
    fi
}

without_web="Without the web app, a server starts all the same: WHISP_WEB_APP=none ./run"

# What the build reads, as one line: any change in a name or a content changes it.
web_stamp() {
    (
        cd "$top/web" || exit
        find app client core ./*.json ./*.ts -path app/dev -prune -o -type f -exec cksum {} + | LC_ALL=C sort | cksum
    )
}

is_built() {
    [ "$(cat "$top/src/whisp/web_app/.stamp" 2>/dev/null)" = "$1" ]
}

build_web_app() {
    stamp=$(web_stamp)
    provide_node
    web_environment
    printf 'Building the web app.\n' >&2
    said=$(npm --prefix "$top/web" run --silent build 2>&1) ||
        fail "$said" "The web app could not be built." "$without_web"
    # Served is the old build or the new one, never half of either.
    new=$top/src/whisp/.web_app.new
    rm -rf "$new"
    cp -R "$top/web/dist" "$new"
    find "$new" -type f ! -name '*.png' ! -name '*.ogg' ! -name '*.woff2' -exec gzip -9 -n -k {} +
    printf '%s\n' "$stamp" > "$new/.stamp"
    rm -rf "$top/src/whisp/web_app"
    mv "$new" "$top/src/whisp/web_app"
}

# Put a Node that can build on the PATH: the machine's, else the locked one, which comes as a Python package.
provide_node() {
    is_node && return
    if ! [ -x "$top/.venv/bin/npm" ]; then
        printf 'Preparing Node from requirements/web.txt. This happens once.\n' >&2
        pip --require-hashes --requirement "$top/requirements/web.txt" ||
            fail "The web app is built with Node, which could not be installed. Check the network, or install" \
                "Node 20.19, 22.12 or newer yourself, then start again." "$without_web"
    fi
    PATH=$top/.venv/bin:$PATH
    is_node || fail "The Node of requirements/web.txt does not run here. Install Node 22.12 or newer yourself." \
        "$without_web"
}

# The versions that Vite takes.
is_node() {
    command -v npm >/dev/null 2>&1 && node -e '
        const [major, minor] = process.versions.node.split(".").map(Number);
        process.exit(major > 22 || (major === 22 && minor >= 12) || (major === 20 && minor >= 19) ? 0 : 1);
    ' 2>/dev/null
}

find_python() {
    for name in ${WHISP_PYTHON:+"$WHISP_PYTHON"} python3 python3.13 python3.12 python3.11; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            printf '%s\n' "$name"
            return
        fi
    done
    return 1
}

# Debian keeps the module `venv` whole only with a package of its own.
require_venv() {
    "$1" -c 'import ensurepip, venv' 2>/dev/null && return
    package=$("$1" -c 'import sys; print("python{}.{}-venv".format(*sys.version_info))')
    install_debian "$package" ||
        fail "Python is here, but the part of it that makes environments is not. Install it, then start again:" \
            "    apt-get install $package"
}

# Install a Debian package when this user may, without asking for a password.
install_debian() {
    command -v apt-get >/dev/null 2>&1 || return 1
    if [ "$(id -u)" -eq 0 ]; then
        as_root=
    elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
        as_root=sudo
    else
        return 1
    fi
    printf 'Installing the Debian package %s.\n' "$1" >&2
    $as_root apt-get install -y -qq "$1" >/dev/null 2>&1 ||
        { $as_root apt-get update -qq && $as_root apt-get install -y -qq "$1"; } >&2
}

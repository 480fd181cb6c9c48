# . cache.sh NAME: for scripts that fetch something on first use. Goes to the project's directory, sets `cache` to where such
# things are kept, and waits until it is alone with NAME: test files run side by side, one fetches and the others wait.
cd "$(dirname "${BASH_SOURCE[0]}")/.."
cache=$PWD/.cache
mkdir -p "$cache"
exec {lock}>"$cache/$1.lock"
flock "$lock"

# shellcheck shell=bash
# The bases and their series: manifest, patches, the state of the tree, and applying patches without a work tree.
# Part of lib.sh, which sources it.
# shellcheck disable=SC2034,SC2153 # variables of the callers, and of lib.sh

need_manifest() {
	[ -f "$MANIFEST" ] ||
		die "there is no base $BASE: $MANIFEST is missing (bases: $(list_bases))"
	read_series
}

list_bases() {
	local file
	for file in "$TOP"/patches/*/manifest; do
		[ -f "$file" ] && basename "$(dirname "$file")"
	done | paste -sd ' ' || true
}

# Is version $1 a release of $BASE (7.3 or 7.3.N)? Release candidates and -next are not.
is_release_of_base() {
	[[ $1 == "$BASE" ]] && return
	[[ $1 == "$BASE".* && ${1#"$BASE".} =~ ^[0-9]+$ ]]
}

# "7.3.4" from the text of a kernel's top Makefile on standard input.
makefile_version() {
	awk -F '[ \t]*=[ \t]*' '
		$1 == "VERSION" && v == "" { v = $2 }
		$1 == "PATCHLEVEL" && p == "" { p = $2 }
		$1 == "SUBLEVEL" && s == "" { s = $2 }
		$1 == "EXTRAVERSION" && !seen { e = $2; seen = 1 }
		END { if (v != "" && p != "") print v "." p "." (s == "" ? 0 : s) e }'
}

# A path as it has to be typed in a command.
typed() {
	printf '%q' "$1"
}

# git works in no tree that belongs to somebody else, and its words on that are easily lost.
refuse_foreign_owner() {
	local said owner
	said=$(git -C "$1" rev-parse --git-dir 2>&1) || true
	case $said in
	*"dubious ownership"* | *"unsafe repository"*) ;;
	*) return 0 ;;
	esac
	owner=$(stat -c %U "$1")
	die "$1 belongs to $owner, and git does not work in trees of others. Run this as $owner, or tell git that it may: git config --global --add safe.directory $(typed "$1")"
}

# ---- the series -------------------------------------------------------------------------

# The names of the series in the order of the manifest, and what each of them needs.
ALL_SERIES=()
declare -A NEEDS=()

# What a tree takes as one series.
MOST_PATCHES=15

# "series: NAME" or "series: NAME needs NAME...", a line each; what a series needs stands before it.
read_series() {
	local name word needs need
	ALL_SERIES=()
	NEEDS=()
	while read -r name word needs; do
		[[ $name =~ ^[a-z][a-z0-9-]*$ ]] || die "$MANIFEST: \"$name\" is no name of a series"
		[[ $word == needs && -n $needs || -z $word ]] ||
			die "$MANIFEST: series: $name $word $needs: \"series: NAME needs NAME...\" is expected"
		[ -z "${NEEDS[$name]+known}" ] || die "$MANIFEST: series $name is there twice"
		for need in $needs; do
			[ -n "${NEEDS[$need]+known}" ] ||
				die "$MANIFEST: series $name needs $need, which is no series that stands before it"
		done
		ALL_SERIES+=("$name")
		NEEDS[$name]=$needs
	done < <(sed -n 's/^series:[[:space:]]*//p' "$MANIFEST")
	[ ${#ALL_SERIES[@]} -gt 0 ] || die "$MANIFEST names no series (\"series: NAME\")"
}

need_series() {
	local name
	for name; do
		[[ -n $name && -n ${NEEDS[$name]+known} ]] ||
			usage_error "there is no series \"$name\" for $BASE; there are: ${ALL_SERIES[*]}"
	done
}

# with_needs NAME...: these series and all that they need, in the order of the manifest.
with_needs() {
	local -A wanted=()
	local name need i
	for name; do
		wanted[$name]=1
	done
	for ((i = ${#ALL_SERIES[@]} - 1; i >= 0; i--)); do
		name=${ALL_SERIES[i]}
		[ -n "${wanted[$name]:-}" ] || continue
		for need in ${NEEDS[$name]}; do
			wanted[$need]=1
		done
	done
	for name in "${ALL_SERIES[@]}"; do
		[ -z "${wanted[$name]:-}" ] || printf '%s\n' "$name"
	done
}

# The patches of series NAME... in directory $1, in this order. (The cover letter is no .patch: git am stops at it.)
list_patches_in() {
	local dir=$1 name file
	shift
	for name; do
		for file in "$dir/$name"/[0-9]*.patch; do
			[ ! -f "$file" ] || printf '%s\n' "$file"
		done
	done
}

list_patches() {
	list_patches_in "$PATCHES" "$@"
}

# One hash over the manifest's lines of the series, and names and contents of the patches.
patches_hash() {
	local patches
	mapfile -t patches < <(list_patches "${ALL_SERIES[@]}")
	(
		cd "$PATCHES" || exit
		sed -n '/^series:/p' manifest
		sha256sum -- "${patches[@]#"$PATCHES"/}" </dev/null
	) | sha256sum | cut -d ' ' -f 1
}

# ---- the state of the tree --------------------------------------------------------------

# The commit of each series on what it needs: refs/stacks/NAME of the tree.
stacks_hash() {
	own_git -C "$TREE" for-each-ref --format='%(refname) %(objectname)' refs/stacks |
		sha256sum | cut -d ' ' -f 1
}

# What $TREE was made from, and the commits that came out.
write_stamp() {
	printf 'record: %s\npatches: %s\ntip: %s\nstacks: %s\n' "$(sha256_of "$RECORD")" \
		"$(patches_hash)" "$(own_git -C "$TREE" rev-parse refs/heads/series)" \
		"$(stacks_hash)" >"$STAMP.new"
	mv "$STAMP.new" "$STAMP"
}

# What somebody did in the tree that would be lost, as one line; nothing when it is as we left it.
foreign_work() {
	local head tip
	[ -d "$TREE" ] || return 0
	tip=$(own_git -C "$TREE" rev-parse -q --verify refs/heads/series) || {
		echo "it has no branch \"series\""
		return
	}
	head=$(own_git -C "$TREE" symbolic-ref -q --short HEAD || echo "a detached HEAD")
	if [ "$head" != series ]; then
		echo "it is on $head, not on branch \"series\""
	elif [ -n "$(own_git -C "$TREE" status --porcelain --untracked-files=no)" ]; then
		echo "it has uncommitted changes"
	elif [ "$tip" != "$(field tip "$STAMP")" ]; then
		echo "its branch \"series\" has commits that were not made from the patches"
	fi
}

# ---- applying patches without a work tree -----------------------------------------------

# A repository in $SCRATCH that has the objects of another one: what is made in it leaves no trace there.
make_lab() {
	own_git init -q --bare "$SCRATCH/lab"
	lab_git config user.name "$AUTHOR_NAME"
	lab_git config user.email "$AUTHOR_EMAIL"
	(cd "$1" && realpath "$(own_git rev-parse --git-path objects)") \
		>"$SCRATCH/lab/objects/info/alternates"
}

lab_git() {
	own_git -C "$SCRATCH/lab" "$@"
}

# The first file that "git apply" complained about in log $1.
failing_file() {
	sed -n -E \
		-e 's/^error: patch failed: (.*):[0-9]+$/\1/p' \
		-e 's/^error: (.*): (patch does not apply|does not exist|already exists|does not match index|wrong type|No such file).*/\1/p' \
		"$1" | head -n 1
}

# A patch's name with that of its series.
patch_name() {
	printf '%s/%s\n' "$(basename "$(dirname "$1")")" "${1##*/}"
}

# try_patches TREE-ISH PATCH...: do the patches apply, in the lab? The tree that they give is left in
# TRIED, or the message in APPLY_ERROR; the patches that apply at other lines only are in OFFSETS. The subshells
# are for the callers' traps: what a trap says while a function is redirected goes into the log.
TRIED=
APPLY_ERROR=
OFFSETS=
try_patches() {
	local index=$SCRATCH/try.index log=$SCRATCH/try.log patch found
	rm -f "$index"
	OFFSETS=
	if ! (GIT_INDEX_FILE=$index lab_git read-tree "$1") 2>"$log"; then
		APPLY_ERROR="cannot read $1: $(cat "$log")"
		return 1
	fi
	shift
	for patch; do
		if (GIT_INDEX_FILE=$index lab_git apply --cached --verbose --whitespace=nowarn "$patch") \
			>"$log" 2>&1; then
			# git apply knows no fuzz; an offset means that the patch was made on another source
			found=$(grep -E 'offset|fuzz' "$log" | sed "s|^|$(patch_name "$patch"): |" || true)
			OFFSETS+=${found:+$found$'\n'}
			continue
		fi
		APPLY_ERROR=$(printf '%s does not apply, first at file %s\n' \
			"$(patch_name "$patch")" "$(failing_file "$log")"
			grep '^error:' "$log" | sed 's/^/    /' | head -n 10)
		return 1
	done
	TRIED=$(GIT_INDEX_FILE=$index lab_git write-tree)
}

# How a series' place is called in a message.
place_of() {
	if [ -n "${NEEDS[$1]}" ]; then
		echo "what it needs ($(with_needs "$1" | grep -vx "$1" | paste -sd ' '))"
	else
		echo "the bare base"
	fi
}

# try_stacks TREE-ISH DIR NAME...: do the patches of these series in DIR apply on what each of them needs? The
# message is left in APPLY_ERROR. Stacks that begin alike are tried once.
declare -A TRIED_STACKS=()
try_stacks() {
	local base=$1 dir=$2 name part parts patches tree
	shift 2
	for name; do
		parts='' tree=$base
		for part in $(with_needs "$name"); do
			parts+=" $part"
			if [ -z "${TRIED_STACKS[$parts]:-}" ]; then
				mapfile -t patches < <(list_patches_in "$dir" "$part")
				try_patches "$tree" "${patches[@]}" || {
					APPLY_ERROR="series $name on $(place_of "$name"): $APPLY_ERROR"
					return 1
				}
				TRIED_STACKS[$parts]=$TRIED
			fi
			tree=${TRIED_STACKS[$parts]}
		done
	done
}

# am_on COMMIT PATCH...: the commit that git am makes of the patches is left in MADE. It is made in the lab, in
# a work tree that holds no files: git am writes just those that it needs.
MADE=
am_on() {
	local commit=$1 dir=$SCRATCH/am
	shift
	MADE=$commit
	[ $# -gt 0 ] || return 0
	lab_git worktree add -q --no-checkout --detach "$dir" "$commit"
	own_git -C "$dir" read-tree "$commit"
	own_git -C "$dir" am -q --no-3way --no-scissors --whitespace=nowarn \
		--committer-date-is-author-date "$@"
	MADE=$(own_git -C "$dir" rev-parse HEAD)
	rm -rf "$dir"
	lab_git worktree prune
}

# make_stacks COMMIT DIR: refs/stacks/NAME of the lab, from the patches in DIR: each series on what it needs, and
# on nothing else.
make_stacks() {
	local base=$1 dir=$2 name part parts patches commit
	local -A known=()
	for name in "${ALL_SERIES[@]}"; do
		parts='' commit=$base
		for part in $(with_needs "$name"); do
			parts+=" $part"
			if [ -z "${known[$parts]:-}" ]; then
				mapfile -t patches < <(list_patches_in "$dir" "$part")
				am_on "$commit" "${patches[@]}"
				known[$parts]=$MADE
			fi
			commit=${known[$parts]}
		done
		lab_git update-ref "refs/stacks/$name" "$commit"
	done
}

# Where series NAME begins in refs/stacks/NAME of a repository: stack_start REPOSITORY NAME NUMBER-OF-PATCHES
stack_start() {
	own_git -C "$1" rev-parse "refs/stacks/$2~$3"
}

# Take refs/stacks/* of the lab over into a tree of ours.
fetch_stacks() {
	own_git -C "$1" fetch -q --no-tags --no-write-fetch-head --prune "$SCRATCH/lab" \
		'+refs/stacks/*:refs/stacks/*'
}

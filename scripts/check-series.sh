# shellcheck shell=bash
# What the series are, as files, commits and text; part of scripts/check, which sources it.
# shellcheck disable=SC2153,SC2164 # variables of lib.sh and scripts/check; a check runs with "set -e"

WAIVERS=$PATCHES/checkpatch-waivers

# ---- manifest -----------------------------------------------------------------------------

check_manifest() {
	local key file name
	for key in base version reference source-package source-sha256 kernel-org-sha256 differs; do
		[ -n "$(field "$key" "$MANIFEST")" ] || fail "$MANIFEST has no \"$key:\""
	done
	[ "$(field base "$MANIFEST")" = "$BASE" ] || fail "\"base:\" is not $BASE"
	is_release_of_base "$(field version "$MANIFEST")" || fail "\"version:\" is no release of $BASE"
	is_sha256 "$(field source-sha256 "$MANIFEST")" || fail "\"source-sha256:\" is no checksum"
	for file in "$PATCHES"/[0-9]*.patch "$PATCHES"/*/[0-9]*.{patch,eml} "$PATCHES"/*/cover-letter.txt; do
		name=$(basename "$(dirname "$file")")
		[ ! -e "$file" ] || [ -n "${NEEDS[$name]+known}" ] ||
			fail "${file#"$PATCHES"/} belongs to no series of $MANIFEST"
	done
}

check_record() {
	local origin sum
	need_exact_source
	origin=$(field_line origin "$RECORD")
	sum=$(field sha256 "$RECORD")
	case $origin in
	Debian*)
		[ "$(field_line package "$RECORD")" = "$(field_line source-package "$MANIFEST" | sed 's/ (suite.*//')" ] ||
			skip "another revision of the package was used: $(field_line package "$RECORD")"
		[ "$sum" = "$(field source-sha256 "$MANIFEST")" ] || fail "the tarball's sha256 is $sum"
		;;
	kernel.org*)
		is_sha256 "$(field kernel-org-sha256 "$MANIFEST")" ||
			skip "the manifest has no checksum of kernel.org's tarball; this one has $sum"
		[ "$sum" = "$(field kernel-org-sha256 "$MANIFEST")" ] || fail "the tarball's sha256 is $sum"
		;;
	*) skip "the source is the user's own: $origin" ;;
	esac
}

# ---- the patches as files -----------------------------------------------------------------

check_size() {
	[ ${#PATCH_FILES[@]} -gt 0 ] || fail "it has no patch"
	[ ${#PATCH_FILES[@]} -le "$MOST_PATCHES" ] || fail "it has ${#PATCH_FILES[@]} patches"
	[ -f "$PATCHES/$SERIES/0000-cover-letter.eml" ] ||
		fail "it has no cover letter: patches/$BASE/$SERIES/cover-letter.txt is its text"
	remark "${#PATCH_FILES[@]}"
}

# On what the manifest says that it needs: patch and stack are of the same lines there.
check_applies() {
	need_exact_source
	try_patches "$START^{tree}" "${PATCH_FILES[@]}" || fail "$APPLY_ERROR"
	[ -z "$OFFSETS" ] || fail "$OFFSETS"
	[ "$TRIED" = "$(tree_git rev-parse "refs/stacks/$SERIES^{tree}")" ] ||
		fail "the patches give another tree than refs/stacks/$SERIES"
}

# All of them, in the order of the manifest; at other lines, but without fuzz, which git apply does not know.
check_row() {
	local patches
	mapfile -t patches < <(list_patches "${ALL_SERIES[@]}")
	try_patches "$(tree_git rev-parse 'base^{tree}')" "${patches[@]}" || fail "$APPLY_ERROR"
	[ "$TRIED" = "$(tree_git rev-parse 'series^{tree}')" ] ||
		fail "the patches give another tree than branch series"
}

check_exported() {
	"$TOP/scripts/export" --check
	is_exact_source || remark "only the added files: the source is $(field version "$RECORD")"
}

# The two copies of the header must not drift apart, not even in the middle of a series.
check_uapi() {
	local commit header status=0
	header=include/uapi/linux/bpf.h
	[ "$(tree_git rev-parse "base:$header")" = "$(tree_git rev-parse "base:tools/$header")" ] ||
		skip "the copies differ in the base already"
	for commit in "${COMMITS[@]}"; do
		[ "$(tree_git rev-parse "$commit:$header")" = "$(tree_git rev-parse "$commit:tools/$header")" ] &&
			continue
		echo "$header and tools/$header differ after: $(tree_git log -1 --format=%s "$commit")"
		status=1
	done
	return $status
}

# ---- style --------------------------------------------------------------------------------

# What checkpatch has to say on a patch, a remark a line: "file:line: LEVEL:TYPE: text". The project has no
# Signed-off-by: who sends the series signs it. It is asked once for each patch.
checkpatch_remarks() {
	local kept=$SCRATCH/checkpatch/$1
	[ -f "$kept" ] || (
		mkdir -p "${kept%/*}"
		cd "$TREE"
		perl scripts/checkpatch.pl --strict --no-signoff --terse --showfile --show-types "$1" \
			2>/dev/null >"$kept" || true
		rm -f .checkpatch-camelcase.git.*
	)
	cat "$kept"
}

# The remarks that patches/$BASE/checkpatch-waivers does not name.
unwaived() {
	awk 'FNR == NR { if ($0 !~ /^#/) waived[$1 " " $2] = 1; next }
		/^total:/ || !NF { next }
		{ split($1, at, ":"); split($2, type, ":")
			if (!(((at[1] ? at[1] : "commit-message") " " type[2]) in waived)) print }' \
		"$WAIVERS" -
}

# check_checkpatch NUMBER: of the patch (from 0).
check_checkpatch() {
	local remarks rest count
	need_command perl
	[ -f "$TREE/scripts/checkpatch.pl" ] || fail "the tree has no scripts/checkpatch.pl"
	remarks=$(checkpatch_remarks "${PATCH_FILES[$1]}")
	# a clean patch leaves no line at all
	[ -n "$remarks" ] || return 0
	grep -q '^total: ' <<<"$remarks" || fail "checkpatch.pl gave no result: $remarks"
	rest=$(unwaived <<<"$remarks")
	[ -z "$rest" ] || fail "$rest"
	count=$(grep -vc '^total:' <<<"$remarks" || true)
	[ "$count" -eq 0 ] || remark "waived: $count, see patches/$BASE/checkpatch-waivers"
}

# A waiver that nothing needs any more would hide the next remark of its kind.
check_waivers() {
	local all patch file type reason status=0
	all=$(list_patches "${ALL_SERIES[@]}" | while read -r patch; do checkpatch_remarks "$patch"; done)
	while read -r file type reason; do
		[ -n "$reason" ] || { echo "$file $type: no reason is given"; status=1; }
		grep -q "^${file#commit-message}:[0-9]*: [A-Z]*:$type: " <<<"$all" && continue
		echo "$file $type: checkpatch does not say that"
		status=1
	done < <(grep -v '^#' "$WAIVERS")
	return $status
}

check_author() {
	local patch status=0 from
	for patch in "${PATCH_FILES[@]}"; do
		if grep -qi '^Signed-off-by:' "$patch"; then
			echo "${patch##*/} has a Signed-off-by line"
			status=1
		fi
		from=$(sed -n '/^$/q; s/^From: //p' "$patch")
		[ "$from" = "$AUTHOR_NAME <$AUTHOR_EMAIL>" ] && continue
		echo "${patch##*/} is from $from"
		status=1
	done
	return $status
}

# Lines of code, addresses and tables may be long: those without a space, and those that are
# indented by four columns or more.
check_messages() {
	local commit subject status=0 long
	for commit in "${COMMITS[@]}"; do
		subject=$(tree_git log -1 --format=%s "$commit")
		if [ ${#subject} -gt 75 ]; then
			echo "the subject has ${#subject} columns: $subject"
			status=1
		fi
		if ! [[ $subject =~ ^(bpf|bpftool|libbpf|selftests/bpf|bpf,\ docs|tracing(/[a-z]+)?|panic|virtio_console):\ [^\ ] ]]; then
			echo "the subject has no known prefix: $subject"
			status=1
		fi
		if [[ $SERIES == fixes* && $subject != selftests/* ]] &&
			! tree_git log -1 --format=%b "$commit" | grep -qE '^Fixes: [0-9a-f]{12} \(".*"\)$'; then
			echo "a fix without a tag Fixes: $subject"
			status=1
		fi
		long=$(tree_git log -1 --format=%b "$commit" | expand |
			awk 'length($0) > 75 && !/^    / && !/^Fixes: / && /[^ ] +[^ ]/')
		[ -n "$long" ] || continue
		printf 'more than 75 columns in "%s":\n%s\n' "$subject" "$long"
		status=1
	done
	return $status
}

# ---- documentation ------------------------------------------------------------------------

# Added files only: an old file may have old warnings.
check_kernel_doc() {
	local files tool=scripts/kernel-doc out
	mapfile -t files < <(tree_git diff --no-renames --diff-filter=A --name-only base series -- '*.c' '*.h')
	[ ${#files[@]} -gt 0 ] || skip "the series adds no .c or .h file"
	cd "$TREE"
	[ ! -f tools/docs/kernel-doc ] || tool=tools/docs/kernel-doc
	remark "${files[*]}"
	out=$(PYTHONDONTWRITEBYTECODE=1 "$tool" -none -Wall "${files[@]}" 2>&1) || fail "$out"
	[ -z "$out" ] || fail "$out"
}

docs_dirs() {
	tree_git diff --no-renames --diff-filter=d --name-only base series -- 'Documentation/*.rst' |
		cut -d / -f 2 | sort -u
}

check_docs() {
	local dirs pattern key log=$CHECK_LOGS/docs-make.log out
	need_command sphinx-build
	dirs=$(docs_dirs)
	[ -n "$dirs" ] || skip "the series touches no .rst file"
	[[ $dirs != *.rst* ]] || skip "the series touches a file at the top of Documentation/"
	key=$({
		tree_git rev-parse 'series^{tree}'
		sha256_of "$TOP/scripts/check-series.sh"
		sphinx-build --version
	} | sha256sum | cut -d ' ' -f 1)
	if is_cached "$key"; then
		return
	fi
	out=$WORK/docs-obj
	# Sphinx only repeats the warnings of the files that it reads again.
	rm -rf "$out"
	mkdir -p "$out"
	PYTHONDONTWRITEBYTECODE=1 nice make -C "$TREE" O="$out" SPHINXDIRS="${dirs//$'\n'/ }" \
		htmldocs >"$log" 2>&1 || {
		tail -n 15 "$log"
		fail "sphinx failed, see $log"
	}
	pattern=$(tree_git diff --no-renames --diff-filter=d --name-only base series -- '*.rst' '*.c' '*.h' |
		sed 's/[.]/\\./g' | paste -sd '|')
	if grep -E "($pattern)(:[0-9]+)?: *(WARNING|ERROR|warning|error)" "$log"; then
		fail "warnings about files of the series, see $log"
	fi
	set_cached "$key"
}

# ---- bpftool ------------------------------------------------------------------------------

check_keyword() {
	python3 -B "$TOP/scripts/bpftool-keywords.py" "$TREE/tools/bpf/bpftool"
	cd "$TREE/tools/testing/selftests/bpf"
	python3 -B test_bpftool_synctypes.py
}

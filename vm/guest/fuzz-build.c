// SPDX-License-Identifier: GPL-2.0
/* The instructions of a program. */
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include "fuzz.h"

static int emit(struct round *r, uint8_t code, uint8_t dst, uint8_t src, int16_t off, int32_t imm)
{
	struct bpf_insn *insn = &r->insns[r->count];

	if (r->count == MAX_INSNS) {
		fprintf(stderr, "fuzz: a program is too long\n");
		exit(3);
	}
	*insn = (struct bpf_insn){ .code = code, .dst_reg = dst, .src_reg = src, .off = off, .imm = imm };
	return r->count++;
}

static void emit_mov(struct round *r, int dst, int32_t imm)
{
	emit(r, BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, imm);
}

static void emit_mov_reg(struct round *r, int dst, int src)
{
	emit(r, BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0);
}

static void emit_ld64(struct round *r, int dst, int src, int32_t low)
{
	emit(r, BPF_LD | BPF_DW | BPF_IMM, dst, src, 0, low);
	emit(r, 0, 0, 0, 0, 0);
}

static void emit_helper(struct round *r, int func)
{
	emit(r, BPF_JMP | BPF_CALL, 0, 0, 0, func);
}

static void emit_exit(struct round *r)
{
	emit(r, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

/* A jump that patch_jump() gives its end. */
static int emit_jump(struct round *r, uint8_t op, int dst, int32_t imm)
{
	return emit(r, BPF_JMP | op | BPF_K, dst, 0, 0, imm);
}

static void patch_jump(struct round *r, int at)
{
	r->insns[at].off = r->count - at - 1;
}

/* Whatever; r6, the context, and r10 are left alone, and r7 to r9 have to be set before. */
static void emit_filler(struct round *r)
{
	static const uint8_t ops[] = { BPF_ADD, BPF_SUB, BPF_MUL, BPF_OR, BPF_AND, BPF_XOR, BPF_MOV };

	for (int n = below(6); n > 0; n--) {
		uint8_t size = percent(50) ? BPF_ALU64 : BPF_ALU;
		int dst = 7 + below(3), at;

		switch (below(5)) {
		case 0:
			emit(r, size | ops[below(ARRAY_SIZE(ops))] | BPF_X, dst, 7 + below(3), 0, 0);
			break;
		case 1:
			emit(r, BPF_STX | BPF_MEM | BPF_DW, 10, dst, -16 - 8 * below(4), 0);
			break;
		case 2:
			at = emit_jump(r, percent(50) ? BPF_JEQ : BPF_JGT, dst, below(16));
			emit(r, size | BPF_ADD | BPF_K, dst, 0, 0, below(1000));
			patch_jump(r, at);
			break;
		case 3:
			emit_helper(r, BPF_FUNC_ktime_get_ns);
			emit_mov_reg(r, dst, 0);
			break;
		default:
			emit(r, size | ops[below(ARRAY_SIZE(ops))] | BPF_K, dst, 0, 0, rng());
		}
	}
}

static void emit_prologue(struct round *r)
{
	for (int reg = 7; reg <= 9; reg++)
		emit_mov(r, reg, rng());
}

static void emit_kfunc_call(struct round *r)
{
	if (r->kfunc == KFUNC_2022) {
		emit_mov(r, 1, 0);
	} else {
		emit_mov(r, 3, 8);
		emit(r, BPF_ST | BPF_MEM | BPF_DW, 10, 0, -8, 0);
		emit_mov_reg(r, 2, 10);
		emit(r, BPF_ALU64 | BPF_ADD | BPF_K, 2, 0, 0, -8);
		emit_ld64(r, 1, BPF_PSEUDO_MAP_VALUE, text_map);
	}
	emit(r, BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_KFUNC_CALL, 0, kfunc_ids[r->kfunc]);
}

static void begin_func(struct round *r, uint32_t type)
{
	r->funcs[r->func_count++] = (struct bpf_func_info){ .insn_off = r->count, .type_id = type };
}

/* A function of one number; calls to it are patched to get here. */
static void emit_sub(struct round *r, uint32_t type, int call)
{
	r->insns[call].imm = r->count - call - 1;
	begin_func(r, type);
	emit_prologue(r);
	emit_filler(r);
}

static int emit_sub_call(struct round *r)
{
	emit_mov(r, 1, below(100));
	return emit(r, BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_CALL, 0, 0);
}

static void end_func(struct round *r)
{
	emit_filler(r);
	emit_mov(r, 0, 0);
	emit_exit(r);
}

static void emit_tail_call(struct round *r, int map)
{
	emit_mov_reg(r, 1, 6);
	emit_ld64(r, 2, BPF_PSEUDO_MAP_FD, map);
	emit_mov(r, 3, below(3));
	emit_helper(r, BPF_FUNC_tail_call);
}

/* Jump over what follows, for a reason that the verifier knows or does not know. */
static int emit_skip(struct round *r, bool known)
{
	if (!known) {
		emit_helper(r, BPF_FUNC_get_prandom_u32);
		return emit_jump(r, percent(50) ? BPF_JEQ : BPF_JGT, 0, 1 + below(1000));
	}
	if (r->shape == DEAD_BOUNDS) {
		emit_helper(r, BPF_FUNC_get_prandom_u32);
		emit(r, BPF_ALU64 | BPF_AND | BPF_K, 0, 0, 0, 7);
		return emit_jump(r, BPF_JLT, 0, 8 + below(100));
	}
	emit_mov(r, 0, 5);
	return emit_jump(r, BPF_JEQ, 0, 5);
}

static int emit_loop(struct round *r, int rounds)
{
	int at;

	emit_mov(r, 1, rounds);
	at = r->count;
	emit_ld64(r, 2, BPF_PSEUDO_FUNC, 0);
	emit_mov(r, 3, 0);
	emit_mov(r, 4, 0);
	emit_helper(r, BPF_FUNC_loop);
	return at;
}

/* The shape's part of the main program. Returns where it names a subprogram, or -1. */
static int emit_shape(struct round *r)
{
	int call = -1, skip;

	switch (r->shape) {
	case STRAIGHT:
		emit_kfunc_call(r);
		break;
	case UNKNOWN_BRANCH:
	case DEAD_BRANCH:
	case DEAD_BOUNDS:
		skip = emit_skip(r, r->shape != UNKNOWN_BRANCH);
		emit_kfunc_call(r);
		patch_jump(r, skip);
		break;
	case AFTER_TAIL_CALL:
		emit_tail_call(r, r->tail_map);
		emit_kfunc_call(r);
		break;
	case OWNED_ARRAY:
		emit_tail_call(r, owned_arrays[r->array]);
		break;
	case OWNED_ASYNC:
		emit_ld64(r, 7, BPF_PSEUDO_MAP_FD, async_maps[r->async].fd);
		emit_mov(r, 7, 0);
		break;
	case INNER_ASYNC:
		emit_ld64(r, 7, BPF_PSEUDO_MAP_FD, outer_map);
		emit_mov(r, 7, 0);
		break;
	case STATIC_SUB:
	case GLOBAL_SUB:
	case NESTED_SUB:
		call = emit_sub_call(r);
		break;
	case DEAD_STATIC_SUB:
	case DEAD_GLOBAL_SUB:
		skip = emit_skip(r, true);
		call = emit_sub_call(r);
		patch_jump(r, skip);
		break;
	case CALLBACK:
	case DEAD_CALLBACK:
		call = emit_loop(r, r->shape == CALLBACK ? 1 + below(5) : 0);
		break;
	case AFTER_EXIT:
		emit_mov(r, 0, 0);
		emit_exit(r);
		emit_kfunc_call(r);
		break;
	case IMM_0:
	case WRONG_ID:
		emit(r, BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_KFUNC_CALL, 0,
		     r->shape == IMM_0 ? 0 : wrong_ids[below(ARRAY_SIZE(wrong_ids))]);
		break;
	case WRONG_FD:
		emit(r, BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_KFUNC_CALL, 1 + below(2), kfunc_ids[r->kfunc]);
		break;
	default:
		break;
	}
	return call;
}

/* The shape's subprograms; "call" is what emit_shape() returned. */
static void emit_subs(struct round *r, int call)
{
	switch (r->shape) {
	case STATIC_SUB:
	case DEAD_STATIC_SUB:
		emit_sub(r, prog_btf.static_sub, call);
		emit_kfunc_call(r);
		end_func(r);
		break;
	case GLOBAL_SUB:
	case DEAD_GLOBAL_SUB:
		emit_sub(r, prog_btf.global, call);
		emit_kfunc_call(r);
		end_func(r);
		break;
	case NESTED_SUB:
		emit_sub(r, prog_btf.static_sub, call);
		call = emit_sub_call(r);
		end_func(r);
		emit_sub(r, prog_btf.nested, call);
		emit_kfunc_call(r);
		end_func(r);
		break;
	case CALLBACK:
	case DEAD_CALLBACK:
		emit_sub(r, prog_btf.callback, call);
		emit_kfunc_call(r);
		end_func(r);
		break;
	default:
		break;
	}
}

void build(struct round *r)
{
	int call;

	/* an extension takes what the function takes that it replaces */
	begin_func(r, r->kind->type == BPF_PROG_TYPE_EXT ? prog_btf.ext : prog_btf.main);
	emit_mov_reg(r, 6, 1);
	emit_prologue(r);
	emit_filler(r);

	call = emit_shape(r);
	end_func(r);
	emit_subs(r, call);
}

void mutate(struct round *r)
{
	for (int n = 1 + below(3); n > 0; n--) {
		unsigned char *bytes = (unsigned char *)&r->insns[below(r->count)];

		bytes[below(sizeof(r->insns[0]))] ^= percent(50) ? 1U << below(8) : below(256);
	}
}

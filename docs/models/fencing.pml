/*
 * The fencing of the shared-directory journal, docs/protocols/fencing.md. Steps bear the names they
 * have there. What is checked, what is left out, and the bounds: README.md.
 *
 * A life is a process from its start to its end: it claims an epoch, takes over, appends. A process
 * that hangs, is cut off or killed is one that is not scheduled for a while, or never again. A loss
 * of power ends all lives. It keeps what is durable, and any part of the rest. A step of a life is
 * one look at the directory or one change of it. -D with a name below plants a shortcut.
 */

#ifndef LIVES
#define LIVES 3      /* Processes. */
#endif
#ifndef EPOCHS
#define EPOCHS 3     /* Claims. */
#endif
#ifndef APPENDS
#define APPENDS 2    /* Commands that one life appends, at most 3. */
#endif
#ifndef INDEXES
#define INDEXES 4    /* The length of the journal. */
#endif
#ifndef BLACKOUTS
#define BLACKOUTS 1  /* Losses of power. */
#endif
#ifndef FAILURES
#define FAILURES 1   /* Syncs of a file that fail. */
#endif

#define COLUMNS (INDEXES + 1)
#define SEGMENTS (EPOCHS + 1)
#define AT(segment, index) ((segment) * COLUMNS + (index))
#define BIT(n) (1 << (n))

/* ---- The directory as it can be read. Segment e is all that epoch e writes; 0 is none. ---- */

byte claimed;                    /* claim[e], a bit for each. */
byte published;                  /* What `epoch` says. */
byte named;                      /* first[e], a bit for each. */
byte value[SEGMENTS * COLUMNS];  /* log[e]: 4 e + number of the command, 4 e is the tenure entry. */
byte point[SEGMENTS * COLUMNS];  /* What the entry says was committed when it was written. */
byte seal_old[SEGMENTS];         /* The seal: up to seal_at the segment seal_old counts, */
byte seal_at[SEGMENTS];          /* after it this one. */

/* ---- The part of the directory that is durable. ---- */

byte claimed_durable;
byte published_durable;
byte named_durable;
byte end_durable[SEGMENTS];  /* Entries up to this index; with the first of them the seal. */
#ifndef NAMES_IN_ANY_ORDER
byte named_before[SEGMENTS];  /* A rename that is durable makes those before it durable. */
#endif
byte rotten;  /* Segments of which a sync failed: the kernel takes their lost pages for clean. */

/* ---- What clients and standbys were told. ---- */

byte told[COLUMNS];  /* By index, the entry that was acknowledged, read or applied; 0 for none. */
byte prompt_epoch;   /* The last prompt of an active member. */
byte prompt_index;

byte boot;
byte started;
byte failures;

/* Used only within one step; not part of the state. */
hidden byte at, from, found, next, last, top, whole;

#ifdef NO_DIRECTORY_SYNC
#define SYNC_DIRECTORY skip
#else
#define SYNC_DIRECTORY atomic { claimed_durable = claimed; published_durable = published; \
                                named_durable = named }
#endif

/* R2: found = the entry at index `n` for a reader that starts from segment `start`; 0 if none. */
inline look(start, n) {
    from = start;
    do
    :: from != 0 && n <= seal_at[from] -> from = seal_old[from]
    :: else -> break
    od;
#ifdef NO_SEAL
    /* Reads the old segment to its end. */
    do
    :: from != 0 && seal_old[from] != 0 && value[AT(seal_old[from], n)] != 0 ->
        from = seal_old[from]
    :: else -> break
    od;
#endif
    found = (from != 0 -> value[AT(from, n)] : 0);
    from = 0
}

/* R1: top = the highest segment. */
inline head() {
    top = EPOCHS;
    do
    :: top != 0 && !(named & BIT(top)) -> top--
    :: else -> break
    od
}

/* last = the last index for a reader that starts from segment `start`. */
inline tail(start) {
    last = 0;
    do
    :: last < INDEXES ->
        look(start, last + 1);
        if
        :: found != 0 -> last++
        :: else -> break
        fi
    :: else -> break
    od;
    found = 0
}

/* next = the highest index that segment `start` says was committed: what counts in T6. R3 counts
 * only entries after the tenure entry. */
inline point_in(start, behind_tenure) {
    next = (behind_tenure -> 0 : seal_at[start]);
    at = 1;
    do
    :: at <= INDEXES ->
        if
        :: value[AT(start, at)] != 0 && point[AT(start, at)] > next &&
           (!behind_tenure || value[AT(start, at)] / 4 == start) ->
            next = point[AT(start, at)]
        :: else
        fi;
        at++
    :: else -> break
    od;
    at = 0
}

/* What was told is there, in its place, for a process that takes over now. Epochs never fall along
 * the journal. What is said to be committed is there: otherwise it would count as damage. */
inline check() {
    head();
    whole = top;
    tail(whole);
    point_in(whole, false);
    assert(next <= last);
    next = 0;
    at = 1;
    do
    :: at <= INDEXES ->
        look(whole, at);
        assert(told[at] == 0 || told[at] == found);
        assert(found == 0 || found / 4 >= next);
        next = (found == 0 -> next : found / 4);
        at++
    :: else -> break
    od;
    at = 0; next = 0; found = 0; last = 0; top = 0; whole = 0
}

/* The entries up to index `n`, as read from segment `start`, are acknowledged or passed on. */
inline tell(start, n) {
    at = 1;
    do
    :: at <= n ->
        look(start, at);
        assert(found != 0);
        assert(told[at] == 0 || told[at] == found);
        told[at] = found;
        at++
    :: else -> break
    od;
    at = 0; found = 0
}

/* ---- A process ---- */

#ifdef CHECK_BEFORE_APPEND
#define MAY_WRITE (fresh == 1)
#else
#ifdef COMMITTED_BEFORE_CHECK
#define MAY_WRITE true
#else
#define MAY_WRITE (sure == synced)
#endif
#endif

proctype life(byte mine) {
    byte epoch;    /* Claimed by this life. */
    byte base;     /* The segment it takes over from. */
    byte target;   /* The segment it appends to. */
    byte known;    /* Committed, as base says. */
    byte written;  /* Last index that can be read, */
    byte synced;   /* that is durable, */
    byte sure;     /* that is committed. */
    byte count;    /* Commands appended. */
    bit fresh;     /* The epoch has just been read, and it is still ours. */

    {
#ifdef SCAN_BEFORE_PUBLISH
    d_step {
        head(); base = top; top = 0;
        tail(base); written = last; last = 0;
        point_in(base, false); known = next; next = 0
    }
#endif

    /* T1, T2 */
    do
    :: d_step {
            head();
            epoch = (published > top -> published : top);
            epoch++;
            top = 0;
            do
            :: epoch <= EPOCHS && claimed >= BIT(epoch) -> epoch++
            :: else -> break
            od
        }
        if
        :: epoch > EPOCHS -> goto over
        :: d_step { epoch <= EPOCHS && !(claimed & BIT(epoch)) -> claimed = claimed | BIT(epoch) }
            break
        :: epoch <= EPOCHS && (claimed & BIT(epoch))  /* Another was faster. */
        fi
    od;
    SYNC_DIRECTORY;  /* T3 */
    published = epoch;  /* T4 */
    SYNC_DIRECTORY;

#ifndef NO_CLAIM_CHECK
    if  /* T5 */
    :: claimed >= BIT(epoch + 1) -> goto over
    :: claimed < BIT(epoch + 1)
    fi;
#endif

#ifndef SCAN_BEFORE_PUBLISH
    d_step { head(); base = top; top = 0 }  /* T6 */
    if
    :: base > epoch -> goto over
    :: base <= epoch
    fi;
    d_step {
        tail(base); written = last; last = 0;
        point_in(base, false); known = next; next = 0
    }
#endif
    if
    :: written == INDEXES -> goto over
    :: written < INDEXES
    fi;

#ifdef APPEND_TO_OLD
    if
    :: d_step { base != 0 -> end_durable[base] = written; target = base; synced = written }
        goto serve
    :: base == 0
    fi;
#endif
#ifdef SYNC_INSTEAD_OF_COPY
    d_step {
        end_durable[base] = ((base == 0 || (rotten & BIT(base))) -> end_durable[base] : written);
        known = written
    }
#endif
#ifdef COPY_NOTHING
    known = written;
#endif

    /* T7: the file, under a name that no reader uses, */
#ifdef NAMED_BEFORE_WHOLE
    named = named | BIT(epoch);
#endif
    d_step {
        target = epoch;
        seal_old[epoch] = base;
#ifdef SEAL_NAMES_HOLDER
        do
        :: seal_old[epoch] != 0 && known <= seal_at[seal_old[epoch]] ->
            seal_old[epoch] = seal_old[seal_old[epoch]]
        :: else -> break
        od;
#endif
        seal_at[epoch] = known;
        whole = known + 1;
        do
        :: whole <= written ->
            look(base, whole);
            value[AT(epoch, whole)] = found;
            from = base;
            do
            :: from != 0 && whole <= seal_at[from] -> from = seal_old[from]
            :: else -> break
            od;
            point[AT(epoch, whole)] = point[AT(from, whole)];
            whole++
        :: else -> break
        od;
        written++;
        value[AT(epoch, written)] = epoch * 4;
        point[AT(epoch, written)] = known;
        whole = 0; found = 0; from = 0
    }
#ifdef SERVE_BEFORE_SYNC
    synced = written;
#else
    if  /* its sync, */
    :: d_step { end_durable[epoch] = written; synced = written }
    :: d_step { failures < FAILURES -> failures++; rotten = rotten | BIT(epoch) }
        goto over
    fi;
#endif
#ifdef SYNC_BEFORE_NAMING
    SYNC_DIRECTORY;
#endif
    d_step {  /* its name. */
#ifndef NAMES_IN_ANY_ORDER
        named_before[epoch] = named & ~named_durable;
#endif
        named = named | BIT(epoch);
        check()
    }
    SYNC_DIRECTORY;

serve:
    base = 0; known = 0;
    /* T8 is A3 for the tenure entry. */
    do
    :: d_step {  /* A1 */
        written == synced && count < APPENDS && written < INDEXES && MAY_WRITE ->
        count++;
        written++;
        value[AT(target, written)] = epoch * 4 + count;
#ifdef COMMITTED_BEFORE_CHECK
        point[AT(target, written)] = synced
#else
        point[AT(target, written)] = sure
#endif
        }
    /* A2 */
#ifdef ACKNOWLEDGE_BEFORE_SYNC
    :: d_step { synced < written -> synced = written }
#else
    :: d_step { synced < written ->
        synced = written;
        end_durable[target] = ((rotten & BIT(target)) -> end_durable[target] : written) }
    :: d_step { synced < written && failures < FAILURES ->
        failures++; rotten = rotten | BIT(target) }
#ifndef RETRY_SYNC
        goto over
#endif
#endif
#ifdef CHECK_BEFORE_APPEND
    :: d_step { !fresh && published == epoch -> fresh = 1 }
    :: published != epoch -> goto over
    :: d_step { fresh && sure < synced ->
        sure = synced; prompt_epoch = epoch; prompt_index = sure;
        tell(target, sure); check(); fresh = 0 }
#else
    /* A3, A4 */
    :: d_step { sure < synced && written == synced && published == epoch -> sure = synced; fresh = 1 }
    :: sure < synced && published != epoch -> goto over
    /* A5 */
    :: d_step { fresh ->
        prompt_epoch = epoch; prompt_index = sure;
        tell(target, sure); check(); fresh = 0
#ifdef REACHES_THE_END
        assert(!(epoch == EPOCHS && boot == BLACKOUTS && count != 0 && told[1] == 4))
#endif
        }
#endif
    od
    } unless { boot != mine };

over:
    atomic {
        mine = 0; epoch = 0; base = 0; target = 0; known = 0;
        written = 0; synced = 0; sure = 0; count = 0; fresh = 0
    }
}

/* ---- A standby that follows by reading and by prompts ---- */

active proctype standby() {
    byte base;

end:
    do
    :: d_step { head(); base = top; top = 0 }
        d_step {
            base = ((named & BIT(base)) -> base : 0);
#ifdef READABLE_IS_COMMITTED
            tail(base); whole = last; last = 0;
#else
            point_in(base, true); whole = next; next = 0;
#endif
#ifdef PROMPT_WITHOUT_EPOCH
            tail(base);
            whole = ((prompt_index > whole && prompt_index <= last) -> prompt_index : whole);
            last = 0;
#else
            whole = ((prompt_index > whole && base >= prompt_epoch) -> prompt_index : whole);
#endif
            tell(base, whole); base = 0; whole = 0
        }
    od
}

/* ---- The world ---- */

/* Segment `segment` loses its entries from index `first` on. */
inline cut(segment, first) {
    at = first;
    do
    :: at <= INDEXES -> value[AT(segment, at)] = 0; point[AT(segment, at)] = 0; at++
    :: else -> break
    od;
    at = 0
}

active proctype world() {
    byte segment;
    byte keep;

end:
    do
    :: atomic { started < LIVES -> started++; run life(boot) }
    :: atomic {
        boot < BLACKOUTS -> boot++;
        if
        :: published != published_durable -> published = published_durable
        :: true -> published_durable = published
        fi;
        prompt_epoch = 0; prompt_index = 0;
        segment = 1;
        do
        :: segment <= EPOCHS ->
            if
            :: (named & ~named_durable) & BIT(segment) -> named = named & ~BIT(segment)
            :: true
            fi;
            segment++
        :: else -> break
        od;
#ifndef NAMES_IN_ANY_ORDER
        segment = 1;
        do  /* The renames that are lost are the last ones. */
        :: segment <= EPOCHS && (named & BIT(segment)) && (named_before[segment] & ~named) != 0 ->
            named = named & ~BIT(segment);
            segment = 1
        :: segment <= EPOCHS && !((named & BIT(segment)) && (named_before[segment] & ~named) != 0) ->
            segment++
        :: segment > EPOCHS -> break
        od;
#endif
        segment = 1;
        do
        :: segment <= EPOCHS ->
            if  /* Names that were not synced, */
            :: (claimed & ~claimed_durable) & BIT(segment) -> claimed = claimed & ~BIT(segment)
            :: true
            fi;
            if
            :: (named & BIT(segment)) && end_durable[segment] == 0 -> named = named & ~BIT(segment)
            :: true
            fi;
            keep = (end_durable[segment] > seal_at[segment] -> end_durable[segment]
                                                            : seal_at[segment]);
            do  /* and entries. */
            :: (named & BIT(segment)) && keep < INDEXES && value[AT(segment, keep + 1)] != 0 -> keep++
            :: true -> break
            od;
            if
            :: named & BIT(segment) -> cut(segment, keep + 1)
            :: !(named & BIT(segment)) -> cut(segment, 1); seal_old[segment] = 0; seal_at[segment] = 0;
                end_durable[segment] = 0; rotten = rotten & ~BIT(segment)
            fi;
#ifndef NAMES_IN_ANY_ORDER
            named_before[segment] = 0;
#endif
            segment++
        :: else -> break
        od;
        claimed_durable = claimed;
        named_durable = named;
        segment = 0; keep = 0;
        check()
        }
    od
}

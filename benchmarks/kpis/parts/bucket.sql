with recursive bucket as (
    select * from unnest(
        $i::int[], $starts::timestamptz[], $ends::timestamptz[], $first::date[], $last::date[], $at::timestamptz[]
    ) b (i, starts, ends, first, last, at)
)

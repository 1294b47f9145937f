, stretch as (
    select $first_day::date as lo, $last_day::date as hi
)

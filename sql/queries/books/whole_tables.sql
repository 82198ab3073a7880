-- The checks read whole tables, some of which no statistics know yet; trying each pair would take for ever.
SELECT set_config('enable_nestloop', 'off', true), set_config('work_mem', '64MB', true), set_config('jit', 'off', true)

#include "train/trained.h"

int ft_trained_parts(const ft_adapter *a, double lora_plus, ft_adamw *o, ft_err *e)
{
    int one_rate = lora_plus <= 0 || (lora_plus >= 1 && lora_plus <= 1), rc = 0;
    if (one_rate && a->frozen == 0)
        return 0;
    for (size_t i = 0; i < a->n_slots && rc == 0; i++) {
        const ft_slot *s = &a->slots[i];
        ft_adamw_part p = {s->at, s->rows, s->cols, s->cols, 1};
        if (s->role == FT_ROLE_A)
            p.rows -= a->frozen;
        if (s->role == FT_ROLE_B) {
            p.n -= a->frozen;
            p.rate = one_rate ? 1 : lora_plus;
        }
        rc = ft_adamw_add_part(o, p, e);
    }
    return rc;
}

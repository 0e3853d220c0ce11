/* formats.h: the shapes in which other programs keep examples, to and from ft's records.
 *
 *   messages    {messages: [{role, content, …}]}                        kept; a content that is
 *               a list of text parts becomes their texts, joined by a line end; one that is null
 *               or missing beside tool_calls becomes ""
 *   sharegpt    {conversations: [{from, value, …}], system?}            messages
 *   alpaca      {instruction, input?, output, system?, history?}        messages
 *   prompt      {prompt, completion}, strings                           kept
 *               the same as two lists of messages                       messages; the assistant's
 *               turns in the prompt get weight 0, for only the completion is to be learnt
 *   query       {query, response, instruction?, system?, history?}      messages
 *   text        {text}                                                  kept
 *   prediction  {prediction, reference: string or list}                 kept
 *
 * Lossless or loud: all other fields ride along, in their places, and what a mapping would lose
 * is an error. A record exported in a format that it can come from gives the same record when it
 * is imported again. Besides, one turn of a user and the answer to it may become prompt and
 * completion, and the other way round. Empty strings for input and system, and an empty history,
 * count as absent.
 */
#ifndef FT_FORMATS_H
#define FT_FORMATS_H

#include "base/buf.h"
#include "base/err.h"
#include "base/mp.h"

enum ft_format { FT_FORMAT_AUTO, FT_FORMAT_MESSAGES, FT_FORMAT_SHAREGPT, FT_FORMAT_ALPACA,
                 FT_FORMAT_PROMPT, FT_FORMAT_QUERY, FT_FORMAT_TEXT, FT_FORMAT_PREDICTION };

/* Finds a format by its name: one of the list above, or "auto". Returns: 1 or 0. */
int ft_format_by_name(const char *name, enum ft_format *f);
const char *ft_format_name(enum ft_format f);

/* Appends the record made of a parsed object, checked by ft_example_shape.
 * FT_FORMAT_AUTO: the format is the first of the list above whose fields are there. An object
 * without id gets `number` as its id, put first. Errors: FT_ERR_DATA naming the field. */
struct ft_imported {
    size_t turns;            /* messages in the record, 0 when it has none           */
    size_t joined;           /* messages whose text was several parts                 */
};
int ft_format_import(ft_mp object, enum ft_format f, uint64_t number, ft_buf *out,
                     struct ft_imported *got, ft_err *e) FT_MUST_CHECK;

/* Appends the object that stands for a record in a format; FT_FORMAT_AUTO: the record as it is.
 * Errors: FT_ERR_DATA when that format, or JSON, cannot hold the record, saying why. */
int ft_format_export(ft_mp record, enum ft_format f, ft_buf *out, ft_err *e) FT_MUST_CHECK;

#endif

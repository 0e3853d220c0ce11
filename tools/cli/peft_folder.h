/* peft_folder.h: ft-import --from peft and ft-export --to peft: adapters as PEFT saves them. */
#ifndef FT_CLI_PEFT_FOLDER_H
#define FT_CLI_PEFT_FOLDER_H

/* The work of the tools, from their options to the last count. base_name: or NULL. */
void cli_import_peft(const char *folder);
void cli_export_peft(const char *input, const char *folder, const char *base_name);

#endif

#include "cli/command.h"
int sr_command_show(struct sr_ctl *ctl, char **operands) { (void)ctl; (void)operands; return 1; }
int sr_command_recover(struct sr_ctl *ctl, char **operands) { (void)ctl; (void)operands; return 1; }
int sr_command_status(struct sr_ctl *ctl, char **operands) { (void)ctl; (void)operands; return 1; }
